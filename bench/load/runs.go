package main

import (
	"slices"
	"time"
)

// Clients that ask again as soon as they are answered, for a time.
type closedRun struct {
	question
	Connections int     `json:"connections"`
	Seconds     float64 `json:"seconds"`

	loop              *loop
	until             int64
	left              int
	latencies, firsts []int64
	gaps              []int64
	faults            map[string]int
	finish            func()
	lastEnd           int64
}

type closedResult struct {
	Answers int `json:"answers"`
	// From the first question to the last answer.
	Seconds float64        `json:"seconds"`
	Faults  map[string]int `json:"faults"`
	Latency spread         `json:"latency"`
	First   spread         `json:"first"`
	Gap     spread         `json:"gap"`
}

// Milliseconds.
type spread struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// The longest that a run waits for answers that are still due when its time is over.
const patience = 5 * time.Second

func (r *closedRun) start(l *loop, finish func(any)) {
	r.loop, r.faults = l, map[string]int{}
	l.restless = true
	begin := nanoseconds()
	r.until = begin + int64(r.Seconds*1e9)
	r.left = r.Connections
	clients := make([]*client, r.Connections)
	for i := range clients {
		clients[i] = newClient(l, &r.question, r)
	}
	for _, c := range clients {
		c.ask()
	}
	result := func() {
		l.restless = false
		finish(closedResult{
			Answers: len(r.latencies),
			Seconds: float64(max(r.lastEnd, r.until)-begin) / 1e9,
			Faults:  r.faults,
			Latency: spreadOf(r.latencies),
			First:   spreadOf(r.firsts),
			Gap:     spreadOf(r.gaps),
		})
	}
	r.finish = result
	l.at(r.until+int64(patience), func() {
		if r.left > 0 {
			r.faults["no answer in time"] += r.left
			r.left = 0
			for _, c := range clients {
				c.close()
			}
			result()
		}
	})
}

func (r *closedRun) onToken(c *client) {
	if c.tokens > 1 {
		r.gaps = append(r.gaps, nanoseconds()-c.lastAt)
	}
}

func (r *closedRun) onEnd(c *client, fault string) {
	now := nanoseconds()
	if fault == "" {
		r.latencies = append(r.latencies, now-c.askedAt)
		if c.firstAt != 0 {
			r.firsts = append(r.firsts, c.firstAt-c.askedAt)
		}
		r.lastEnd = now
	} else {
		r.faults[fault]++
	}
	if r.left == 0 {
		return
	}
	if now < r.until {
		if fault == "" {
			c.ask()
		} else {
			r.loop.after(10*time.Millisecond, c.ask)
		}
		return
	}
	c.close()
	r.left--
	if r.left == 0 {
		r.finish()
	}
}

func spreadOf(values []int64) spread {
	if len(values) == 0 {
		return spread{}
	}
	slices.Sort(values)
	at := func(share float64) float64 { return float64(values[int(share*float64(len(values)-1))]) / 1e6 }
	return spread{P50: at(0.5), P99: at(0.99), Max: at(1)}
}

// Streams that are opened and held until they are to be closed.
type openRun struct {
	question
	Connections int `json:"connections"`

	clients []*client
	flowing int
	faults  map[string]int
	told    bool
	finish  func(any)
}

type openResult struct {
	Flowing int            `json:"flowing"`
	Faults  map[string]int `json:"faults"`
}

// The longest that streams may take to begin.
const openPatience = 20 * time.Second

func (r *openRun) start(l *loop, finish func(any)) {
	r.finish, r.faults = finish, map[string]int{}
	r.clients = make([]*client, r.Connections)
	for i := range r.clients {
		r.clients[i] = newClient(l, &r.question, r)
	}
	// One after another, as they would come.
	for i, c := range r.clients {
		l.after(time.Duration(i)*time.Millisecond/2, c.ask)
	}
	l.after(openPatience, r.tell)
}

func (r *openRun) tell() {
	if !r.told {
		r.told = true
		r.finish(openResult{Flowing: r.flowing, Faults: r.faults})
	}
}

func (r *openRun) onToken(c *client) {
	if c.tokens == 1 {
		r.flowing++
		if r.flowing == r.Connections {
			r.tell()
		}
	}
}

func (r *openRun) onEnd(_ *client, fault string) { r.faults[fault]++ }

func (r *openRun) close() {
	for _, c := range r.clients {
		c.close()
	}
}

// How long what was cut off may take to be tried again; then that is cut off, too.
const straggle = time.Second

// Clients that leave: how many of their requests have stopped in Ollama a second later.
type leaveRun struct {
	openRun
	// What they have got when they leave: "nothing" or "token".
	After string `json:"after"`
}

type leaveResult struct {
	// How many of the requests had reached Ollama when the clients left.
	Reached int `json:"reached"`
	// How many of them neither run there a second after, nor begin later.
	Stopped int            `json:"stopped"`
	Faults  map[string]int `json:"faults"`
}

func (r *leaveRun) start(l *loop, f *fake, finish func(any)) {
	before := f.began
	left := false
	leave := func() {
		if left {
			return
		}
		left = true
		reached := f.began - before
		r.close()
		l.after(time.Second, func() {
			running := len(f.current)
			atSecond := f.began
			// What was queued or waited for a load could begin even now.
			l.after(coldLoad, func() {
				late := f.began - atSecond
				f.cut()
				l.after(straggle, func() {
					f.cut()
					finish(leaveResult{Reached: reached, Stopped: r.Connections - running - late, Faults: r.faults})
				})
			})
		})
	}
	r.openRun.start(l, func(any) { leave() })
	if r.After == "nothing" {
		var look func()
		giveUp := nanoseconds() + int64(time.Second)
		look = func() {
			if f.began-before >= r.Connections || nanoseconds() > giveUp {
				leave()
			} else {
				l.after(5*time.Millisecond, look)
			}
		}
		look()
	}
}
