package mapping

import "slices"

// Control is a file or directory that shows or steers something and is no message.
// The numbers are part of node numbers: they are never reused for something else.
type Control uint8

// The controls. Those of the root and those of a stream are different ones, also
// where they have the same name.
const (
	ControlDir      Control = iota + 1 // ".jsfs" in a stream's directory
	ControlLog                         // all payloads as one file
	ControlInfo                        // the state as JSON
	ControlFirst                       // symbolic link to the oldest message
	ControlLast                        // symbolic link to the newest message
	ControlRootDir                     // ".jsfs" in the root
	ControlReadme                      // what all this is
	ControlErrors                      // why calls failed
	ControlVersion                     // the program's version
	ControlMetrics                     // counters, as Prometheus reads them
	ControlConfig                      // the stream's configuration as JSON
	ControlCtl                         // takes commands
	ControlSubjects                    // a message directory for each subject, and each pattern
	ControlNewest                      // a file for each subject, its newest message
	ControlSince                       // message directories: what came at a time or later
	ControlRange                       // message directories: ranges of sequences
	ControlMsgs                        // a directory for each message
	ControlMount                       // the mount's settings as JSON

	// These are inside of the directories above, and have names of many.
	ControlNewestOf // the newest message on a subject
	ControlAgo      // symbolic link to the moment that lies so far back
	ControlMsg      // the directory of a message; the files below are in it
	ControlHeaders  // its header block
	ControlSubject  // its subject
	ControlTime     // its time
	ControlJSON     // all of it as a JSON line
	ControlRaw      // all of it as post takes it

	ControlLogJSON    // all messages as JSON lines
	ControlFollow     // the payloads from now on: reading waits
	ControlFollowJSON // the messages from now on as JSON lines: reading waits
	ControlPost       // takes a message in its raw form

	ControlConsumers      // a directory for each consumer
	ControlConsumer       // the directory of a consumer; the controls below are in it, or below it
	ControlConsumerConfig // its configuration as JSON
	ControlConsumerInfo   // its numbers as JSON
	ControlNext           // the next message's payload: reading delivers it, and waits for it
	ControlNextJSON       // the same as a JSON line
	ControlOpen           // a file for each message whose delivery is open
	ControlNak            // takes what is to be delivered again at once
	ControlTerm           // takes what is not to be delivered any more
	ControlOpenMessage    // a message whose delivery is open

	ControlDeleted        // a file for each message that was removed and is kept
	ControlDeletedMessage // such a message
	ControlRemoved        // in the root: a directory for each stream that was removed and is kept
	ControlRemovedStream  // such a stream
)

// DirName is the name of the control directories.
const DirName = ".jsfs"

// control says what is known of a Control. One that is part of several directories is in the lists of each.
type control struct {
	name  string // inside .jsfs; of a directory, its own name; "" if it has many
	short string // beside the messages; "" if it has none
	dir   bool   // a directory
	link  bool   // a symbolic link
	// hidden says that it is not listed: reading it waits for something, or changes something.
	hidden bool
}

var controls = map[Control]control{
	ControlDir:      {name: DirName, dir: true},
	ControlLog:      {name: "log", short: ".log"},
	ControlInfo:     {name: "info", short: ".info"},
	ControlFirst:    {name: "first", short: ".first", link: true},
	ControlLast:     {name: "last", short: ".last", link: true},
	ControlConfig:   {name: "config"},
	ControlCtl:      {name: "ctl"},
	ControlSubjects: {name: "subjects", dir: true},
	ControlNewest:   {name: "last-by-subject", dir: true},
	ControlSince:    {name: "since", dir: true},
	ControlRange:    {name: "range", dir: true},
	ControlMsgs:     {name: "msg", dir: true},

	ControlAgo:     {link: true},
	ControlMsg:     {dir: true},
	ControlHeaders: {name: "headers"},
	ControlSubject: {name: "subject"},
	ControlTime:    {name: "time"},
	ControlJSON:    {name: "json"},
	ControlRaw:     {name: "raw"},

	ControlRootDir: {name: DirName, dir: true},
	ControlReadme:  {name: "README"},
	ControlErrors:  {name: "errors"},
	ControlVersion: {name: "version"},
	ControlMetrics: {name: "metrics"},
	ControlMount:   {name: "config"},

	ControlLogJSON:    {name: "log.jsonl"},
	ControlFollow:     {name: "follow", short: ".follow", hidden: true},
	ControlFollowJSON: {name: "follow.jsonl", hidden: true},
	ControlPost:       {name: "post"},

	ControlConsumers:      {name: "consumers", dir: true},
	ControlConsumer:       {dir: true},
	ControlConsumerConfig: {name: "config"},
	ControlConsumerInfo:   {name: "info"},
	ControlNext:           {name: "next", hidden: true},
	ControlNextJSON:       {name: "next.json", hidden: true},
	ControlOpen:           {name: "pending", dir: true},
	ControlNak:            {name: "nak", dir: true},
	ControlTerm:           {name: "term", dir: true},

	ControlDeleted:       {name: "deleted", dir: true},
	ControlRemoved:       {name: "deleted", dir: true},
	ControlRemovedStream: {dir: true},
}

// What is in the directory ".jsfs" of every message directory, of a stream's own directory besides, and of the root.
var (
	viewControls = []Control{
		ControlFirst, ControlFollow, ControlFollowJSON, ControlInfo, ControlLast, ControlNewest, ControlLog, ControlLogJSON,
		ControlMsgs, ControlPost, ControlRange, ControlSince, ControlSubjects,
	}
	streamControls = []Control{ControlConfig, ControlConsumers, ControlCtl, ControlDeleted}
	rootControls   = []Control{ControlReadme, ControlMount, ControlRemoved, ControlErrors, ControlMetrics, ControlVersion}
)

// What is in directories of other controls, if that is fixed. A message's directory has its payload,
// which is no Control, as well.
var insides = map[Control][]Control{
	ControlDir:     byName(slices.Concat(streamControls, viewControls)),
	ControlRootDir: byName(rootControls),
	// The configuration is the first: who removes all that is listed begins with it.
	ControlConsumer: {ControlConsumerConfig, ControlConsumerInfo, ControlNak, ControlNext, ControlNextJSON, ControlOpen, ControlTerm},
	ControlMsg:      {ControlHeaders, ControlJSON, ControlRaw, ControlSubject, ControlTime},
}

var viewInside = byName(viewControls)

func byName(cs []Control) []Control {
	cs = slices.Clone(cs)
	slices.SortFunc(cs, func(a, b Control) int {
		if controls[a].name < controls[b].name {
			return -1
		}
		return 1
	})
	return cs
}

// String is the control's name inside its control directory, or the directory's own; "" if it has many.
func (c Control) String() string { return controls[c].name }

// Short is the control's name beside the messages of a message directory, "" if it has none.
func (c Control) Short() string { return controls[c].short }

// IsDir says whether c is a directory.
func (c Control) IsDir() bool { return controls[c].dir }

// IsLink says whether c is a symbolic link.
func (c Control) IsLink() bool { return controls[c].link }

// IsPart says whether c shows something of one message, in its directory.
func (c Control) IsPart() bool { return slices.Contains(insides[ControlMsg], c) }

// IsListed says whether c is listed where it is.
func (c Control) IsListed() bool { return !controls[c].hidden }

// IsRoot says whether c belongs to the root, and not to a stream.
func (c Control) IsRoot() bool {
	return c == ControlRootDir || c == ControlRemovedStream || slices.Contains(rootControls, c)
}

// Children returns what is in a control directory, sorted by name; nothing for a file, and for a
// directory of names that are not fixed. own says whether the directory is that of a stream's own directory,
// or of the root, and not that of another message directory.
func (c Control) Children(own bool) []Control {
	if c == ControlDir && !own {
		return viewInside
	}
	return insides[c]
}

// Child finds a name in a control directory; own as in Children.
func (c Control) Child(name string, own bool) (Control, bool) {
	for _, child := range c.Children(own) {
		if controls[child].name == name {
			return child, true
		}
	}
	return 0, false
}

// controlNamed finds a control by its name in a message directory.
func controlNamed(name string) (Control, bool) {
	if name == DirName {
		return ControlDir, true
	}
	for _, c := range viewControls {
		if c.Short() != "" && c.Short() == name {
			return c, true
		}
	}
	return 0, false
}
