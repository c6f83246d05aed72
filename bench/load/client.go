package main

import (
	"bytes"
	"fmt"
	"strconv"
	"syscall"
)

// What is asked, of whom, and in which form the answer comes.
type question struct {
	Host   string `json:"host"`
	Port   int    `json:"port"`
	Path   string `json:"path"`
	Model  string `json:"model"`
	Stream bool   `json:"stream"`
	// Lines of the head besides Host, Content-Type and Content-Length.
	Headers map[string]string `json:"headers"`
}

func (q *question) bytes() []byte {
	body := fmt.Sprintf(`{"model":%q,"messages":[{"role":"system","content":"You are brief."},`+
		`{"role":"user","content":"Tell me in one sentence why the sky is blue."}],"stream":%t}`, q.Model, q.Stream)
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\nContent-Length: %d\r\n",
		q.Path, q.Host, q.Port, len(body))
	for name, value := range q.Headers {
		head += name + ": " + value + "\r\n"
	}
	return []byte(head + "\r\n" + body)
}

// What is told of an answer as it comes.
type listener interface {
	// A token has come.
	onToken(c *client)
	// The answer is over: complete and as it has to be, or what was wrong with it.
	onEnd(c *client, fault string)
}

// One client with one connection, which asks the same again and again.
type client struct {
	socket
	question *question
	request  []byte
	listener listener

	askedAt, firstAt, lastAt int64
	tokens                   int

	status    int
	length    int // of the body; -1: chunked
	chunkLeft int // of the chunk under way; -1: its size comes next
	headRead  bool
	closing   bool
	body      []byte
	scanned   int
	text      []byte
	finished  bool // the answer's own last word has come
	failed    string
}

func newClient(l *loop, q *question, listener listener) *client {
	c := &client{question: q, request: q.bytes(), listener: listener}
	c.socket.loop = l
	return c
}

func (c *client) connect() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	must(err)
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: c.question.Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		_ = syscall.Close(fd)
		return err
	}
	must(syscall.SetNonblock(fd, true))
	must(syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1))
	c.fd, c.open, c.in = fd, true, c.in[:0]
	c.loop.watch(fd, c)
	return nil
}

func (c *client) ask() {
	c.headRead, c.closing, c.finished, c.failed = false, false, false, ""
	c.body, c.text, c.scanned, c.tokens = c.body[:0], c.text[:0], 0, 0
	c.firstAt = 0
	if !c.open {
		if err := c.connect(); err != nil {
			c.listener.onEnd(c, "not connected: "+err.Error())
			return
		}
	}
	c.askedAt = nanoseconds()
	c.write(c.request)
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
		over, fault = true, "cut off"
	}
	if !alive || (over && c.closing) || fault != "" {
		c.close()
	}
	if over {
		c.listener.onEnd(c, fault)
	}
}

// Takes what was read. Says whether the answer is over, and what is wrong with it.
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
			return true, "an answer whose end is not told"
		}
		c.closing = bytes.EqualFold(header(head, "connection"), []byte("close"))
		c.headRead, c.chunkLeft = true, -1
		c.consume(at + 4)
	}
	complete, fault := c.takeBody()
	if fault != "" {
		return true, fault
	}
	if c.question.Stream && c.status == 200 {
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
				// No trailers: an empty line ends it.
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

// What is wrong with an answer that is complete, or "".
func (c *client) fault() string {
	switch {
	case c.status != 200:
		return fmt.Sprintf("status %d: %.200s", c.status, c.body)
	case c.question.Stream && c.failed != "":
		return c.failed
	case c.question.Stream && !c.finished:
		return "a stream without its last word"
	case c.question.Stream && !(c.tokens == tokensOfAnswer && string(c.text) == answerText):
		return fmt.Sprintf("a stream with %d tokens, of %d", c.tokens, tokensOfAnswer)
	case !c.question.Stream && string(member(c.body, `"content"`)) != answerText:
		return fmt.Sprintf("another answer: %.200s", c.body)
	}
	return ""
}
