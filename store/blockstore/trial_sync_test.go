package blockstore_test

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// spareSyncs are the syncs that a loss of power does not miss, by role, and why they are
// made nevertheless.
var spareSyncs = map[string]string{
	"sync streams/*/*.blk after write streams/*/*.blk header":  "nothing in a block is acknowledged before a later sync of it, and a block without a header counts as never begun",
	"sync streams/new-*/state after write streams/new-*/state": "without a state a stream is opened as after an unclean stop",
	"close: sync streams/*/state after write streams/*/state":  "the state before says that the stop was unclean, which costs a scan of the tail",
	"drop: sync streams/*/state after write streams/*/state":   "as for close, and the stream is on its way out",
	"sync incarnation.new after write incarnation.new":         "the numbers of streams, and of removed ones as long as they are kept, count as well",
	"syncdir . after rename incarnation.new":                   "as for the file",
	"syncdir . after rename jsfs.key.new":                      "jsfs.store is made after it, which syncs the directory before the store is used",
	"sync streams/*/drafts/* after nothing":                    "the draft was renamed, and its bytes were synced before",
	"syncdir streams/* after mkdir streams/*/drafts":           "it is for a configuration that an update left there as its own sync failed, of which TestAMessageComesAfterTheConfiguration tells",
	"syncdir . after mkdir quarantine":                         "the first stream syncs the directory again",
	"syncdir streams/*/drafts after ":                          "another process may have removed a draft's checksums; the time of the draft tells them from others as well, and TestTrialNoCrashMakesDamageOfADraft does without",
	"syncdir streams/*/drafts after rename streams/*/drafts/*": "the contract asks for it with the draft's Sync only, and that syncs again",
}

// TestTrialEverySyncIsNeeded takes out one disk sync after the other: the crash trial
// must find that, or it would prove nothing. Syncs that play the same role, which is what
// is synced after what change in what operation, are tried until one is found; before a release
// all are.
func TestTrialEverySyncIsNeeded(t *testing.T) {
	t.Parallel()
	const ops = 60
	for _, policy := range policies {
		found, tried := map[string]int{}, map[string]int{}
		for _, k := range syncWorkloads() {
			for n, role := range k.rolesOfSyncs(policy, ops) {
				if *trials != "release" && (found[role] > 0 || tried[role] >= k.tries) {
					continue
				}
				tried[role]++
				if k.skipIsFound(policy, ops, n+1) {
					found[role]++
				}
			}
		}
		for role, n := range tried {
			if why := spareSyncs[role]; found[role] == 0 && why == "" {
				t.Errorf("%v: %s: taken out %d times, and never missed", policy, role, n)
			}
		}
	}
}

// syncWorkload is a workload in which syncs are taken out.
type syncWorkload struct {
	seed  int
	make  func(fs vfs.FS, policy blockstore.Sync, seed int) *workload
	tries int // how often a role is tried at most, up to the end of this one
}

// newErasing is newReclaiming for one that erases messages right after it gave space back: the blocks that had them must not
// come back.
func newErasing(fs vfs.FS, policy blockstore.Sync, seed int) *workload {
	w := newReclaiming(fs, policy, seed)
	w.erases = 4
	return w
}

// syncWorkloads returns workloads of every kind, and then ones that write much anew, without encryption, and keep nothing that was
// removed: there a change of a directory that is lost shows in what was erased.
func syncWorkloads() (out []syncWorkload) {
	for seed := range max(3, rounds(3, 100)) {
		out = append(out, syncWorkload{seed, newWorkload, 6})
	}
	for i := range rounds(12, 20) {
		out = append(out, syncWorkload{12 + 18*i, newErasing, 10})
	}
	return out
}

var (
	numbers = regexp.MustCompile(`[0-9a-f]{8,}(@[0-9]+)?`)
	details = regexp.MustCompile(`drafts/.*`)
)

// roleOf names what a change does: its verb, and the kind of its file.
func roleOf(change string) string {
	verb, rest, _ := strings.Cut(change, " ")
	name, at, _ := strings.Cut(rest, " ")
	name = details.ReplaceAllString(numbers.ReplaceAllString(name, "*"), "drafts/*")
	if verb == "write" && strings.HasSuffix(name, ".blk") && strings.HasPrefix(at, "0+") {
		name += " header"
	}
	return verb + " " + name
}

// rolesOfSyncs runs a workload and returns the role of each sync in it.
func (k syncWorkload) rolesOfSyncs(policy blockstore.Sync, ops int) []string {
	mem := vfs.NewMem()
	w := k.make(mem, policy, k.seed)
	var roles []string
	last := map[string]string{} // the last change of each file, and in each directory
	mem.Hook = func(change string) {
		w.j.do(func() {
			words := strings.Fields(change)
			if strings.HasPrefix(change, "sync") {
				role := roleOf(change) + " after " + last[words[1]]
				if op := map[string]string{"close": "close", "reopen": "close", "drop": "drop"}[w.op]; strings.HasSuffix(role, "*/state") && op != "" {
					role = op + ": " + role
				}
				roles = append(roles, role)
				return
			}
			switch words[0] {
			case "write", "truncate":
				last[words[1]] = roleOf(change)
			case "rename":
				last[path.Dir(words[2])] = roleOf(change)
				if strings.Contains(words[2], "/drafts/p") {
					last[path.Dir(words[2])] += " to what becomes a message"
				}
				last[words[2]] = "nothing" // its bytes were synced under the other name
				fallthrough
			default:
				last[path.Dir(words[1])] = roleOf(change)
			}
		})
	}
	w.run(ops)
	return roles
}

// skipIsFound says whether losing power shows that the n-th sync did not happen. It looks
// until the next sync of the same file, and right before that.
func (k syncWorkload) skipIsFound(policy blockstore.Sync, ops, n int) (found bool) {
	mem := vfs.NewMem()
	f := vfs.NewFail(mem)
	f.SkipSync(n)
	w := k.make(f, policy, k.seed)
	rng := seeded(n)
	since := 0
	mem.Hook = func(op string) {
		w.j.do(func() {
			syncs := f.Syncs()
			if len(syncs) < n {
				return
			}
			later := syncs[n:]
			i := slices.Index(later, syncs[n-1])
			made := i >= 0 && (i < len(later)-1 || op != later[i])
			if since++; found || since > 60 || made {
				return
			}
			for _, keep := range []int{0, 50} {
				found = found || w.j.verify(mem.Crash(rng, keep), afterCrash) != nil
			}
		})
	}
	w.run(ops)
	return found || w.j.verify(mem.Crash(rng, 0), afterCrash) != nil
}
