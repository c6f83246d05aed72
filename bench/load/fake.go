package main

import (
	"bytes"
	"fmt"
	"syscall"
	"time"
)

// An Ollama that has its answers ready. What a request gets depends on its model:
//
//	fast   64 tokens, `burst` of them in a piece, or the whole answer: as fast as the connection takes them
//	paced  64 tokens, one every 5 ms
//	open   a token every 250 ms, without an end
//	slow   nothing: a prompt that is read and read
//	cold   nothing: a model that is never loaded; a request that only loads it is answered after coldLoad
type fake struct {
	loop    *loop
	fd      int
	burst   int
	native  map[string]*answers
	openAI  map[string]*answers
	dated   int64
	current map[*exchange]bool
	// Generating requests that have come so far.
	began int
}

const (
	pace     = 5 * time.Millisecond
	openPace = 250 * time.Millisecond
	coldLoad = 2500 * time.Millisecond
)

func startFake(l *loop, port, burst int) *fake {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	must(err)
	must(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	must(syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}))
	must(syscall.Listen(fd, 4096))
	f := &fake{loop: l, fd: fd, burst: burst, current: map[*exchange]bool{}}
	l.watch(fd, f)
	return f
}

func (f *fake) port() int {
	address, err := syscall.Getsockname(f.fd)
	must(err)
	return address.(*syscall.SockaddrInet4).Port
}

func (f *fake) ready(uint32) {
	for {
		fd, _, err := syscall.Accept4(f.fd, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		must(syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1))
		c := &connection{fake: f, socket: socket{loop: f.loop, fd: fd, open: true}}
		f.loop.watch(fd, c)
	}
}

// Makes the answers, with a date that is right.
func (f *fake) redate() {
	if f.native != nil && f.loop.now-f.dated < int64(time.Second) {
		return
	}
	f.dated = f.loop.now
	f.native, f.openAI = map[string]*answers{}, map[string]*answers{}
	for _, model := range models {
		f.native[model], f.openAI[model] = nativeAnswers(model), openAIAnswers(model)
	}
}

// Breaks off all that is going on.
func (f *fake) cut() {
	for each := range f.current {
		each.connection.drop()
	}
}

// A client's connection to the fake.
type connection struct {
	socket
	fake    *fake
	current *exchange
}

func (c *connection) ready(events uint32) {
	if events&syscall.EPOLLOUT != 0 {
		c.flush()
	}
	if events&^syscall.EPOLLOUT == 0 {
		return
	}
	if !c.read() || events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
		c.drop()
		return
	}
	for c.current == nil && c.open {
		if !c.serve() {
			return
		}
	}
}

func (c *connection) drop() {
	c.finish()
	c.close()
}

func (c *connection) finish() {
	if c.current != nil {
		delete(c.fake.current, c.current)
		c.current = nil
	}
}

// Serves one request if it is there wholly.
func (c *connection) serve() bool {
	at := bytes.Index(c.in, endOfHead)
	if at < 0 {
		return false
	}
	head := c.in[:at+2]
	length := max(contentLength(head), 0)
	size := at + 4 + length
	if len(c.in) < size {
		return false
	}
	line := head[:bytes.IndexByte(head, '\r')]
	body := c.in[at+4 : size]
	switch {
	case bytes.HasPrefix(line, []byte("POST /api/chat ")):
		c.fake.redate()
		c.generate(c.fake.native, body)
	case bytes.HasPrefix(line, []byte("POST /v1/chat/completions ")):
		c.fake.redate()
		c.generate(c.fake.openAI, body)
	case bytes.HasPrefix(line, []byte("GET /api/tags ")):
		c.write(tagsAnswer())
	case bytes.HasPrefix(line, []byte("GET /api/ps ")):
		c.write(runningAnswer())
	case bytes.HasPrefix(line, []byte("GET /api/version ")):
		c.write(wholeAnswer("application/json; charset=utf-8", `{"version":"0.17.4"}`))
	case bytes.HasPrefix(line, []byte("POST /api/show ")):
		c.write(wholeAnswer("application/json; charset=utf-8",
			`{"capabilities":["completion","tools"],"template":"{{ .Prompt }}","details":{"family":"llama"},"model_info":{}}`))
	case bytes.HasPrefix(line, []byte("GET / ")):
		c.write(wholeAnswer("text/plain; charset=utf-8", "Ollama is running"))
	default:
		c.refuse(404, fmt.Sprintf("the fake does not know %q", line))
	}
	if size == len(c.in) {
		c.in = c.in[:0]
	} else {
		c.in = append(c.in[:0], c.in[size:]...)
	}
	return true
}

func (c *connection) refuse(status int, why string) {
	body := fmt.Sprintf(`{"error":%q}`, why)
	c.write(fmt.Appendf(nil, "HTTP/1.1 %d No\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body))
}

func (c *connection) generate(form map[string]*answers, body []byte) {
	model, _, _ := bytes.Cut(member(body, `"model"`), []byte(":"))
	a := form[string(model)]
	if a == nil {
		c.refuse(404, fmt.Sprintf("model '%s' not found", model))
		return
	}
	name := string(model)
	stream := bytes.HasPrefix(member(body, `"stream"`), []byte("true"))
	if bytes.Contains(body, []byte(`"messages":[]`)) {
		c.load(name)
		return
	}
	f := c.fake
	f.began++
	e := &exchange{connection: c, answers: a}
	c.current = e
	f.current[e] = true
	switch {
	case name == slow || name == cold:
	case !stream:
		c.write(a.whole)
		c.finish()
	case name == paced:
		e.pace(f.loop.now, pace, false)
	case name == open:
		e.pace(f.loop.now, openPace, true)
	default:
		f.loop.eager = append(f.loop.eager, e)
	}
}

func (c *connection) load(name string) {
	wait := time.Duration(0)
	if name == cold {
		wait = coldLoad
	}
	c.fake.loop.after(wait, func() {
		c.write(wholeAnswer("application/json; charset=utf-8", fmt.Sprintf(
			`{"model":%q,"created_at":%q,"message":{"role":"assistant","content":""},"done_reason":"load","done":true}`, name, createdAt)))
	})
}

// A stream under way.
type exchange struct {
	connection *connection
	answers    *answers
	sent       int
}

func (e *exchange) given() bool { return e.connection.current == e }

// Writes the next part: a token, the last line, or the end. False: there is none.
func (e *exchange) writeNext() bool {
	c, a := e.connection, e.answers
	switch e.sent {
	case 0:
		c.write(a.first)
	case tokensOfAnswer:
		c.write(a.last)
		c.write(a.end)
		c.finish()
		return false
	default:
		c.write(a.rest[e.sent-1])
	}
	e.sent++
	return true
}

// Writes the next tokens in one piece.
func (e *exchange) writeBurst() bool {
	if !e.given() {
		return false
	}
	burst := e.connection.fake.burst
	if e.sent == 0 || e.sent == tokensOfAnswer || burst == 1 {
		return e.writeNext()
	}
	until := min(e.sent+burst, tokensOfAnswer)
	piece := scratch[:0]
	for _, token := range e.answers.rest[e.sent-1 : until-1] {
		piece = append(piece, token...)
	}
	e.sent = until
	e.connection.write(piece)
	return true
}

// Writes a part now and then, from the time given on, in even steps.
func (e *exchange) pace(at int64, step time.Duration, endless bool) {
	if !e.given() {
		return
	}
	if endless && e.sent == 1 {
		e.connection.write(e.answers.more)
	} else if !e.writeNext() {
		return
	}
	at += int64(step)
	e.connection.fake.loop.at(at, func() { e.pace(at, step, endless) })
}
