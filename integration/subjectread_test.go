package integration

import (
	"fmt"
	"path/filepath"
	"testing"
)

// Who reads a subject's newest message gets one whole message, whatever is appended meanwhile, and no program has anything to say against the size
// that it was told: the kernel moves bytes by itself for some, up to the size that it knows of the file.
func TestASubjectIsReadWhileItIsWritten(t *testing.T) {
	t.Parallel()
	needs(t, "python3", "rsync")
	script, err := filepath.Abs("testdata/subjectreaders.py")
	if err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]string{"its name": "S/x.y", "last-by-subject": "S/.jsfs/last-by-subject/x.y"} {
		for _, tt := range []struct{ name, config, sizes string }{
			{"all are kept", "{}", "3000 200000 700000 40000"},
			{"the newest is kept", `{"max_msgs_per_subject": 1}`, "3000 131072 20000 40000"}, // what is larger is ESTALE when it is gone
		} {
			t.Run(name+", "+tt.name, func(t *testing.T) {
				m := mount(t, withArgs("--sync=never"))
				m.sh("mkdir S; echo '" + tt.config + "' > S/.jsfs/config")
				if got := m.sh(fmt.Sprintf("python3 %s S/x.y %s %s %d %s", script, read, scratch(t), scaled(5, 20, 300), tt.sizes)); got != "" {
					t.Error(got)
				}
			})
		}
	}
}
