package fusefs

import "github.com/hanwen/go-fuse/v2/fuse"

const (
	// keepsNames is the minor version of the protocol from which on a kernel can be let keep the names of directories: Linux 6.2.
	// Older ones may miss a page of names that another listing is just about to write.
	keepsNames = 38

	// A listing that the server is asked for brings the attributes of what it lists; one from what the kernel keeps brings none,
	// and what the kernel has forgotten meanwhile it looks up, one by one. It lists anew once as many as 1 in unkeepShare were
	// looked up: that takes about as long as to list them all.
	unkeepShare = 8
)

// keepNames returns the flags with which a stream's own directory is opened. Where nothing changes, the kernel keeps its names: all who
// list it after the first one ask nothing. It loses them a page at a time, as it needs the memory; then the rest is asked for.
func (fs *FS) keepNames(c *call, s *stream) uint32 {
	if !fs.opt.Unchanging || fs.protocol < keepsNames {
		return 0
	}
	st, err := s.State(c)
	if err != nil {
		return 0
	}
	asked := s.lookups.Load() + s.bare.Load()
	if asked-s.unkept.Load() > uint64(st.Live.Messages)/unkeepShare {
		s.unkept.Store(asked)
		return fuse.FOPEN_CACHE_DIR
	}
	return fuse.FOPEN_CACHE_DIR | fuse.FOPEN_KEEP_CACHE
}
