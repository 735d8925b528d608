package blockstore

// Asked returns opt for a store that gives space back only when it is asked to, or when the disk is full.
func Asked(opt Options) Options {
	opt.asked = true
	return opt
}
