package mapping

import "testing"

func TestAppendFramed(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"a missing newline is added", "a", "a\n"},
		{"a newline that is there is enough", "a\n", "a\n"},
		{"an empty message is an empty line", "", "\n"},
		{"empty lines at the end stay", "a\n\n", "a\n\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(AppendFramed([]byte("x"), []byte(c.data))); got != "x"+c.want {
				t.Errorf("got %q, want %q", got, "x"+c.want)
			}
		})
	}
}
