package mapping

// AppendFramed appends a message's payload to dst as the log shows it: with a newline
// behind it unless it ends in one. It adds as many bytes as store.Meta.LogSize says.
func AppendFramed(dst, data []byte) []byte {
	dst = append(dst, data...)
	if n := len(data); n == 0 || data[n-1] != '\n' {
		dst = append(dst, '\n')
	}
	return dst
}
