package logview

// SetLimits makes segments and runs small, so that a short test splits and joins them.
func (l *Log) SetLimits(segment, fresh int) { l.limits = limits{segment, fresh} }
