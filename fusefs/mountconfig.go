package fusefs

import (
	"fmt"
	"maps"

	"jsfs/mapping"
)

// config is what .jsfs/config says: the mount's settings as JSON, under the names of their options, sorted.
// The options must be complete.
func (o Options) config() []byte {
	control := "hidden"
	if o.ListControl {
		control = "listed"
	}
	all := map[string]any{
		"source": o.Source, "ro": o.ReadOnly, "allow_other": o.AllowOther, "noxattr": o.NoXattr,
		"uid": *o.UID, "gid": *o.GID, "umask": fmt.Sprintf("%04o", *o.Umask), "seq_width": o.SeqWidth, "control": control,
		"transport": o.Transport,
	}
	if o.Subjects != nil {
		all["subjects"] = o.Subjects
	}
	maps.Copy(all, o.Settings)
	return mapping.Indented(all)
}
