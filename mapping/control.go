package mapping

// Control is a file or directory that shows or steers something and is no message.
// The numbers are part of node numbers: they are never reused for something else.
type Control uint8

// The controls. Those of the root and those of a stream are different ones, also
// where they have the same name.
const (
	ControlDir     Control = iota + 1 // ".jsfs" in a stream's directory
	ControlLog                        // all payloads as one file
	ControlInfo                       // the stream's state as JSON
	ControlFirst                      // symbolic link to the oldest message
	ControlLast                       // symbolic link to the newest message
	ControlRootDir                    // ".jsfs" in the root
	ControlReadme                     // what all this is
	ControlErrors                     // why calls failed
	ControlVersion                    // the program's version
	ControlMetrics                    // counters, as Prometheus reads them
	ControlConfig                     // the stream's configuration as JSON
	ControlCtl                        // takes commands
)

// DirName is the name of the control directories.
const DirName = ".jsfs"

type control struct {
	name  string // inside .jsfs; of a directory, its own name
	short string // beside the messages; "" if it has none
	root  bool
}

var controls = map[Control]control{
	ControlDir:     {name: DirName},
	ControlLog:     {name: "log", short: ".log"},
	ControlInfo:    {name: "info", short: ".info"},
	ControlFirst:   {name: "first", short: ".first"},
	ControlConfig:  {name: "config"},
	ControlCtl:     {name: "ctl"},
	ControlLast:    {name: "last", short: ".last"},
	ControlRootDir: {name: DirName, root: true},
	ControlReadme:  {name: "README", root: true},
	ControlErrors:  {name: "errors", root: true},
	ControlVersion: {name: "version", root: true},
	ControlMetrics: {name: "metrics", root: true},
}

// reserved are short names that later versions will give to controls: nothing else may take them.
var reserved = map[string]bool{".follow": true}

// String is the control's name inside its control directory, or the directory's own.
func (c Control) String() string { return controls[c].name }

// Short is the control's name beside the messages of a stream, "" if it has none.
func (c Control) Short() string { return controls[c].short }

// IsDir says whether c is a control directory.
func (c Control) IsDir() bool { return c == ControlDir || c == ControlRootDir }

// IsLink says whether c is a symbolic link.
func (c Control) IsLink() bool { return c == ControlFirst || c == ControlLast }

// Children returns what a control directory lists, in that order; nothing for a file.
func (c Control) Children() []Control {
	switch c {
	case ControlDir:
		return []Control{ControlConfig, ControlCtl, ControlFirst, ControlInfo, ControlLast, ControlLog}
	case ControlRootDir:
		return []Control{ControlReadme, ControlErrors, ControlMetrics, ControlVersion}
	}
	return nil
}

// Child finds a name in a control directory.
func (c Control) Child(name string) (Control, bool) {
	for _, child := range c.Children() {
		if controls[child].name == name {
			return child, true
		}
	}
	return 0, false
}

// controlNamed finds a control by its name in a stream's directory.
func controlNamed(name string) (Control, bool) {
	if name == DirName {
		return ControlDir, true
	}
	for _, c := range ControlDir.Children() {
		if c.Short() != "" && c.Short() == name {
			return c, true
		}
	}
	return 0, false
}
