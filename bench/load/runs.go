package main

import (
	"slices"
	"time"
)

// Clients that send the next request as soon as they have a response, for a given time.
type closedRun struct {
	request
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
	Responses int `json:"responses"`
	// From the first request to the last response.
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

// How long a run waits for outstanding responses when its time is over.
const responseTimeout = 5 * time.Second

func (r *closedRun) start(l *loop, finish func(any)) {
	r.loop, r.faults = l, map[string]int{}
	l.restless = true
	begin := nanoseconds()
	r.until = begin + int64(r.Seconds*1e9)
	r.left = r.Connections
	clients := make([]*client, r.Connections)
	for i := range clients {
		clients[i] = newClient(l, &r.request, r)
	}
	for _, c := range clients {
		c.send()
	}
	result := func() {
		l.restless = false
		finish(closedResult{
			Responses: len(r.latencies),
			Seconds:   float64(max(r.lastEnd, r.until)-begin) / 1e9,
			Faults:    r.faults,
			Latency:   spreadOf(r.latencies),
			First:     spreadOf(r.firsts),
			Gap:       spreadOf(r.gaps),
		})
	}
	r.finish = result
	l.at(r.until+int64(responseTimeout), func() {
		if r.left > 0 {
			r.faults["a timeout"] += r.left
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
		r.latencies = append(r.latencies, now-c.sentAt)
		if c.firstAt != 0 {
			r.firsts = append(r.firsts, c.firstAt-c.sentAt)
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
			c.send()
		} else {
			r.loop.after(10*time.Millisecond, c.send)
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

// Streams that stay open until "close".
type openRun struct {
	request
	Connections int `json:"connections"`

	clients    []*client
	flowing    int
	faults     map[string]int
	isReported bool
	finish     func(any)
}

type openResult struct {
	Flowing int            `json:"flowing"`
	Faults  map[string]int `json:"faults"`
}

// How long streams may take to begin.
const openTimeout = 20 * time.Second

func (r *openRun) start(l *loop, finish func(any)) {
	r.finish, r.faults = finish, map[string]int{}
	r.clients = make([]*client, r.Connections)
	for i := range r.clients {
		r.clients[i] = newClient(l, &r.request, r)
	}
	// One after another, as independent clients arrive.
	for i, c := range r.clients {
		l.after(time.Duration(i)*time.Millisecond/2, c.send)
	}
	l.after(openTimeout, r.report)
}

func (r *openRun) report() {
	if !r.isReported {
		r.isReported = true
		r.finish(openResult{Flowing: r.flowing, Faults: r.faults})
	}
}

func (r *openRun) onToken(c *client) {
	if c.tokens == 1 {
		r.flowing++
		if r.flowing == r.Connections {
			r.report()
		}
	}
}

func (r *openRun) onEnd(_ *client, fault string) { r.faults[fault]++ }

func (r *openRun) close() {
	for _, c := range r.clients {
		c.close()
	}
}

// How long a peer may take to retry an aborted request; the retry is then aborted too.
const retryGrace = time.Second

// Clients that disconnect, to count the requests that have stopped in Ollama a second later.
type disconnectRun struct {
	openRun
	// What clients have received when they disconnect: "nothing" or a "token".
	After string `json:"after"`
}

type disconnectResult struct {
	// Number of requests that had reached Ollama when the clients disconnected.
	Reached int `json:"reached"`
	// Number of requests that neither run in Ollama a second later nor begin after that.
	Stopped int            `json:"stopped"`
	Faults  map[string]int `json:"faults"`
}

func (r *disconnectRun) start(l *loop, f *fake, finish func(any)) {
	before := f.began
	isDone := false
	disconnect := func() {
		if isDone {
			return
		}
		isDone = true
		reached := f.began - before
		r.close()
		l.after(time.Second, func() {
			running := len(f.current)
			atSecond := f.began
			// Requests that were queued or waited for a load could still begin.
			l.after(coldLoad, func() {
				late := f.began - atSecond
				f.abortAll()
				l.after(retryGrace, func() {
					f.abortAll()
					finish(disconnectResult{Reached: reached, Stopped: r.Connections - running - late, Faults: r.faults})
				})
			})
		})
	}
	r.openRun.start(l, func(any) { disconnect() })
	if r.After == "nothing" {
		var poll func()
		deadline := nanoseconds() + int64(time.Second)
		poll = func() {
			if f.began-before >= r.Connections || nanoseconds() > deadline {
				disconnect()
			} else {
				l.after(5*time.Millisecond, poll)
			}
		}
		poll()
	}
}
