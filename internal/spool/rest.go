package spool

// Rest closes the file that Next is reading and frees the memory for it, before
// a longer pause. Next goes on where it was.
func (r *Replay) Rest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closeReaderLocked()
	r.memory = nil
}
