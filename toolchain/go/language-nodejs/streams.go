package main

import (
	"io"
	"sync"
)

// oneAtATime lets two writers share a stream that does not allow concurrent writes.
type oneAtATime struct{ mutex sync.Mutex }

type guarded struct {
	lock *oneAtATime
	to   io.Writer
}

func (l *oneAtATime) guard(to io.Writer) io.Writer { return guarded{lock: l, to: to} }

func (g guarded) Write(p []byte) (int, error) {
	g.lock.mutex.Lock()
	defer g.lock.mutex.Unlock()
	return g.to.Write(p)
}
