package main

import (
	"bytes"
	"fmt"
	"syscall"
	"time"
)

// An Ollama with prepared responses. The response depends on the request's model:
//
//	fast   64 tokens, `burst` of them per write, or the buffered response: as fast as the connection accepts them
//	paced  64 tokens, one every 5 ms
//	open   a token every 250 ms, without end
//	slow   nothing, as with a prompt that takes forever
//	cold   nothing, as if the model never loaded; a request that only loads it gets a response after coldLoad
type fake struct {
	loop    *loop
	fd      int
	burst   int
	native  map[string]*responses
	openAI  map[string]*responses
	dated   int64
	current map[*exchange]bool
	// Number of generation requests so far.
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

// Prepares the responses again, each second, with the current date.
func (f *fake) refreshDate() {
	if f.native != nil && f.loop.now-f.dated < int64(time.Second) {
		return
	}
	f.dated = f.loop.now
	f.native, f.openAI = map[string]*responses{}, map[string]*responses{}
	for _, model := range models {
		f.native[model], f.openAI[model] = nativeResponses(model), openAIResponses(model)
	}
}

// Aborts all current requests.
func (f *fake) abortAll() {
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

// Serves one request once it has arrived completely.
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
		c.fake.refreshDate()
		c.generate(c.fake.native, body)
	case bytes.HasPrefix(line, []byte("POST /v1/chat/completions ")):
		c.fake.refreshDate()
		c.generate(c.fake.openAI, body)
	case bytes.HasPrefix(line, []byte("GET /api/tags ")):
		c.write(tagsResponse())
	case bytes.HasPrefix(line, []byte("GET /api/ps ")):
		c.write(runningResponse())
	case bytes.HasPrefix(line, []byte("GET /api/version ")):
		c.write(bufferedResponse("application/json; charset=utf-8", `{"version":"0.17.4"}`))
	case bytes.HasPrefix(line, []byte("POST /api/show ")):
		c.write(bufferedResponse("application/json; charset=utf-8",
			`{"capabilities":["completion","tools"],"template":"{{ .Prompt }}","details":{"family":"llama"},"model_info":{}}`))
	case bytes.HasPrefix(line, []byte("GET / ")):
		c.write(bufferedResponse("text/plain; charset=utf-8", "Ollama is running"))
	default:
		c.reject(404, fmt.Sprintf("the fake has no route for %q", line))
	}
	if size == len(c.in) {
		c.in = c.in[:0]
	} else {
		c.in = append(c.in[:0], c.in[size:]...)
	}
	return true
}

func (c *connection) reject(status int, why string) {
	body := fmt.Sprintf(`{"error":%q}`, why)
	c.write(fmt.Appendf(nil, "HTTP/1.1 %d No\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body))
}

func (c *connection) generate(api map[string]*responses, body []byte) {
	model, _, _ := bytes.Cut(member(body, `"model"`), []byte(":"))
	prepared := api[string(model)]
	if prepared == nil {
		c.reject(404, fmt.Sprintf("model '%s' not found", model))
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
	e := &exchange{connection: c, responses: prepared}
	c.current = e
	f.current[e] = true
	switch {
	case name == slow || name == cold:
	case !stream:
		c.write(prepared.buffered)
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
		c.write(bufferedResponse("application/json; charset=utf-8", fmt.Sprintf(
			`{"model":%q,"created_at":%q,"message":{"role":"assistant","content":""},"done_reason":"load","done":true}`, name, createdAt)))
	})
}

// A current request and its stream.
type exchange struct {
	connection *connection
	responses  *responses
	sent       int
}

func (e *exchange) isCurrent() bool { return e.connection.current == e }

// Writes the next part: a token, or the last line and the end. Returns whether there are more.
func (e *exchange) writeNext() bool {
	c, prepared := e.connection, e.responses
	switch e.sent {
	case 0:
		c.write(prepared.first)
	case tokensPerResponse:
		c.write(prepared.last)
		c.write(prepared.end)
		c.finish()
		return false
	default:
		c.write(prepared.rest[e.sent-1])
	}
	e.sent++
	return true
}

// Writes the next tokens at once.
func (e *exchange) writeBurst() bool {
	if !e.isCurrent() {
		return false
	}
	burst := e.connection.fake.burst
	if e.sent == 0 || e.sent == tokensPerResponse || burst == 1 {
		return e.writeNext()
	}
	until := min(e.sent+burst, tokensPerResponse)
	piece := scratch[:0]
	for _, token := range e.responses.rest[e.sent-1 : until-1] {
		piece = append(piece, token...)
	}
	e.sent = until
	e.connection.write(piece)
	return true
}

// Writes a part at regular intervals from the given time on.
func (e *exchange) pace(at int64, step time.Duration, endless bool) {
	if !e.isCurrent() {
		return
	}
	if endless && e.sent == 1 {
		e.connection.write(e.responses.more)
	} else if !e.writeNext() {
		return
	}
	at += int64(step)
	e.connection.fake.loop.at(at, func() { e.pace(at, step, endless) })
}
