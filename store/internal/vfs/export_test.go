package vfs

// Slowly makes o do without openat2(2), as on a kernel that has none.
func (o *OS) Slowly() { o.slowly.Store(true) }
