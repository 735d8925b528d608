package fusefs

import _ "embed"

// readme is what .jsfs/README at the root says.
//
//go:embed readme.txt
var readme string
