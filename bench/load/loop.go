package main

import (
	"container/heap"
	"syscall"
	"time"
)

// One thread with one epoll, because a goroutine per connection would cost more than the requests.

type handler interface {
	ready(events uint32)
}

type loop struct {
	epoll    int
	handlers []handler
	events   []syscall.EpollEvent
	timers   timers
	// Streams that write as fast as they can, each once per turn.
	eager []*exchange
	now   int64
	// Never sleeps, because a program that writes to a sleeping core pays for waking it.
	restless bool
}

// The longest sleep, and so the longest delay of a command.
const longestSleep = 10 * time.Millisecond

// The loop stays awake for a timer that is due sooner, because epoll sleeps for full milliseconds.
const awake = 2 * time.Millisecond

var started = time.Now()

func nanoseconds() int64 { return int64(time.Since(started)) }

func newLoop() *loop {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	must(err)
	return &loop{epoll: epoll, events: make([]syscall.EpollEvent, 512), now: nanoseconds()}
}

func (l *loop) watch(fd int, h handler) {
	for fd >= len(l.handlers) {
		l.handlers = append(l.handlers, make([]handler, 1024)...)
	}
	l.handlers[fd] = h
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP, Fd: int32(fd)}
	must(syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, fd, &event))
}

// Sets whether the loop also watches for room to write.
func (l *loop) watchWriting(fd int, on bool) {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP, Fd: int32(fd)}
	if on {
		event.Events |= syscall.EPOLLOUT
	}
	must(syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_MOD, fd, &event))
}

func (l *loop) close(fd int) {
	l.handlers[fd] = nil
	must(syscall.Close(fd))
}

// Waits for events, and handles them and the timers that are due.
func (l *loop) turn() {
	n, err := syscall.EpollWait(l.epoll, l.events, l.sleep())
	if err != nil && err != syscall.EINTR {
		must(err)
	}
	l.now = nanoseconds()
	for _, event := range l.events[:max(n, 0)] {
		if h := l.handlers[event.Fd]; h != nil {
			h.ready(event.Events)
		}
	}
	for len(l.timers) > 0 && l.timers[0].at <= l.now {
		heap.Pop(&l.timers).(*timer).run()
	}
	if len(l.eager) > 0 {
		going := l.eager[:0]
		for _, each := range l.eager {
			if each.writeBurst() {
				going = append(going, each)
			}
		}
		l.eager = going
	}
}

func (l *loop) sleep() int {
	if len(l.eager) > 0 || l.restless {
		return 0
	}
	left := longestSleep
	if len(l.timers) > 0 {
		left = min(left, time.Duration(l.timers[0].at-nanoseconds()))
	}
	if left < awake {
		return 0
	}
	return int((left - awake/2) / time.Millisecond)
}

type timer struct {
	at  int64
	run func()
}

func (l *loop) at(at int64, run func()) { heap.Push(&l.timers, &timer{at, run}) }

func (l *loop) after(d time.Duration, run func()) { l.at(nanoseconds()+int64(d), run) }

type timers []*timer

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at < t[j].at }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(each any)     { *t = append(*t, each.(*timer)) }
func (t *timers) Pop() any {
	last := len(*t) - 1
	each := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	return each
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
