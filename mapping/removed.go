package mapping

// RemovedName is the name of a stream that was removed: its own, an @, and the time of its removal, in nanoseconds since
// the Unix epoch, as [FormatTime] writes it. No stream that is there has such a name, as a stream's name has no dot. Of a name
// that would be longer than [MaxName] bytes the beginning is there.
func RemovedName(stream string, time int64) string {
	suffix := "@" + FormatTime(time)
	return stream[:min(len(stream), MaxName-len(suffix))] + suffix
}
