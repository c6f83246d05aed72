package main

import (
	"bytes"
	"fmt"
	"strconv"
	"syscall"
)

// A request, its target, and whether the response is a stream.
type request struct {
	Host   string `json:"host"`
	Port   int    `json:"port"`
	Path   string `json:"path"`
	Model  string `json:"model"`
	Stream bool   `json:"stream"`
	// Headers other than Host, Content-Type and Content-Length.
	Headers map[string]string `json:"headers"`
}

func (r *request) bytes() []byte {
	body := fmt.Sprintf(`{"model":%q,"messages":[{"role":"system","content":"You are brief."},`+
		`{"role":"user","content":"Tell me in one sentence why the sky is blue."}],"stream":%t}`, r.Model, r.Stream)
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\nContent-Length: %d\r\n",
		r.Path, r.Host, r.Port, len(body))
	for name, value := range r.Headers {
		head += name + ": " + value + "\r\n"
	}
	return []byte(head + "\r\n" + body)
}

// Receives the events of a response.
type listener interface {
	// A token arrived.
	onToken(c *client)
	// The response ended. The fault is empty if the response was complete and correct.
	onEnd(c *client, fault string)
}

// A client with one connection, which repeats the same request.
type client struct {
	socket
	request  *request
	bytes    []byte
	listener listener

	sentAt, firstAt, lastAt int64
	tokens                  int

	status    int
	length    int // of the body; -1: chunked
	chunkLeft int // of the current chunk; -1: its size comes next
	headRead  bool
	closing   bool
	body      []byte
	scanned   int
	text      []byte
	finished  bool // the stream's last event has arrived
	failed    string
}

func newClient(l *loop, r *request, listener listener) *client {
	c := &client{request: r, bytes: r.bytes(), listener: listener}
	c.socket.loop = l
	return c
}

func (c *client) connect() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	must(err)
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: c.request.Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		_ = syscall.Close(fd)
		return err
	}
	must(syscall.SetNonblock(fd, true))
	must(syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1))
	c.fd, c.open, c.in = fd, true, c.in[:0]
	c.loop.watch(fd, c)
	return nil
}

func (c *client) send() {
	c.headRead, c.closing, c.finished, c.failed = false, false, false, ""
	c.body, c.text, c.scanned, c.tokens = c.body[:0], c.text[:0], 0, 0
	c.firstAt = 0
	if !c.open {
		if err := c.connect(); err != nil {
			c.listener.onEnd(c, "no connection: "+err.Error())
			return
		}
	}
	c.sentAt = nanoseconds()
	c.write(c.bytes)
}

func (c *client) ready(events uint32) {
	if events&syscall.EPOLLOUT != 0 {
		c.flush()
	}
	if events&^syscall.EPOLLOUT == 0 {
		return
	}
	alive := c.read() && events&(syscall.EPOLLHUP|syscall.EPOLLERR) == 0
	now := nanoseconds()
	over, fault := c.take(now)
	if !over && !alive {
		over, fault = true, "the connection broke"
	}
	if !alive || (over && c.closing) || fault != "" {
		c.close()
	}
	if over {
		c.listener.onEnd(c, fault)
	}
}

// Parses the input. Returns whether the response is over, and what is wrong with it.
func (c *client) take(now int64) (bool, string) {
	if !c.headRead {
		at := bytes.Index(c.in, endOfHead)
		if at < 0 {
			return false, ""
		}
		head := c.in[:at+2]
		c.status, _ = strconv.Atoi(string(head[9:12]))
		c.length = contentLength(head)
		if c.length < 0 && !bytes.EqualFold(header(head, "transfer-encoding"), []byte("chunked")) {
			return true, "a response without a length"
		}
		c.closing = bytes.EqualFold(header(head, "connection"), []byte("close"))
		c.headRead, c.chunkLeft = true, -1
		c.consume(at + 4)
	}
	complete, fault := c.takeBody()
	if fault != "" {
		return true, fault
	}
	if c.request.Stream && c.status == 200 {
		c.takeLines(now)
	}
	if !complete {
		return false, ""
	}
	return true, c.fault()
}

func (c *client) consume(n int) { c.in = c.in[:copy(c.in, c.in[n:])] }

func (c *client) takeBody() (complete bool, fault string) {
	if c.length >= 0 {
		n := min(c.length-len(c.body), len(c.in))
		c.body = append(c.body, c.in[:n]...)
		c.consume(n)
		return len(c.body) == c.length, ""
	}
	rest := c.in
	defer func() { c.in = c.in[:copy(c.in, rest)] }()
	for {
		if c.chunkLeft < 0 {
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				return false, ""
			}
			size, ok := hexadecimal(rest[:end])
			if !ok {
				return false, "a chunk without a size"
			}
			if size == 0 {
				// There are no trailers, so an empty line ends the body.
				if len(rest) < end+3 {
					return false, ""
				}
				rest = rest[end+3:]
				return true, ""
			}
			rest = rest[end+1:]
			c.chunkLeft = size + 2
		}
		n := min(c.chunkLeft, len(rest))
		if data := min(n, c.chunkLeft-2); data > 0 {
			c.body = append(c.body, rest[:data]...)
		}
		rest = rest[n:]
		c.chunkLeft -= n
		if c.chunkLeft > 0 {
			return false, ""
		}
		c.chunkLeft = -1
	}
}

func hexadecimal(line []byte) (size int, ok bool) {
	for _, digit := range line {
		switch {
		case digit >= '0' && digit <= '9':
			size = size<<4 | int(digit-'0')
		case digit >= 'a' && digit <= 'f':
			size = size<<4 | int(digit-'a'+10)
		case digit >= 'A' && digit <= 'F':
			size = size<<4 | int(digit-'A'+10)
		default:
			return size, ok
		}
		ok = true
	}
	return size, ok
}

var (
	contentName   = []byte(`"content":`)
	doneEvent     = []byte("data: [DONE]")
	finishedNames = [][]byte{[]byte(`"finish_reason":"stop"`), []byte(`"finish_reason": "stop"`), []byte(`"done":true`)}
)

// Reads the lines of a stream, server-sent events or NDJSON.
func (c *client) takeLines(now int64) {
	for {
		end := bytes.IndexByte(c.body[c.scanned:], '\n')
		if end < 0 {
			return
		}
		line := c.body[c.scanned : c.scanned+end]
		c.scanned += end + 1
		if len(line) < 2 {
			continue
		}
		if content := member(line, `"content"`); len(content) > 0 && content[0] == ' ' {
			c.text = append(c.text, content...)
			if c.tokens == 0 {
				c.firstAt = now
			}
			c.tokens++
			c.listener.onToken(c)
			c.lastAt = now
		} else if bytes.Equal(line, doneEvent) {
			c.finished = c.finished && c.failed == ""
		} else if bytes.Contains(line, []byte(`"error"`)) {
			c.failed = "an error event"
		} else {
			for _, name := range finishedNames {
				c.finished = c.finished || bytes.Contains(line, name)
			}
		}
	}
}

// Returns what is wrong with a complete response, or "".
func (c *client) fault() string {
	switch {
	case c.status != 200:
		return fmt.Sprintf("status %d: %.200s", c.status, c.body)
	case c.request.Stream && c.failed != "":
		return c.failed
	case c.request.Stream && !c.finished:
		return "a stream without its last event"
	case c.request.Stream && !(c.tokens == tokensPerResponse && string(c.text) == responseText):
		return fmt.Sprintf("a stream with %d of %d tokens", c.tokens, tokensPerResponse)
	case !c.request.Stream && string(member(c.body, `"content"`)) != responseText:
		return fmt.Sprintf("a different response: %.200s", c.body)
	}
	return ""
}
