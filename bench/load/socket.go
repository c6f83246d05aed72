package main

import (
	"bytes"
	"strconv"
	"syscall"
)

var scratch = make([]byte, 256*1024)

// A connection, its unread input and its unwritten output.
type socket struct {
	loop    *loop
	fd      int
	in      []byte
	pending []byte
	open    bool
}

// Reads all available input. Returns false if the connection is closed or broken.
func (s *socket) read() bool {
	for {
		n, err := syscall.Read(s.fd, scratch)
		switch {
		case err == syscall.EAGAIN:
			return true
		case err == syscall.EINTR:
			continue
		case err != nil || n == 0:
			return false
		}
		s.in = append(s.in, scratch[:n]...)
		if n < len(scratch) {
			return true
		}
	}
}

func (s *socket) write(data []byte) {
	if !s.open {
		return
	}
	if len(s.pending) == 0 {
		n, err := syscall.Write(s.fd, data)
		if n == len(data) {
			return
		}
		if err != nil && err != syscall.EAGAIN {
			// Reading reports the same error, and closes.
			return
		}
		data = data[max(n, 0):]
		s.loop.watchWriting(s.fd, true)
	}
	s.pending = append(s.pending, data...)
}

func (s *socket) flush() {
	n, _ := syscall.Write(s.fd, s.pending)
	s.pending = s.pending[max(n, 0):]
	if len(s.pending) == 0 {
		s.pending = nil
		s.loop.watchWriting(s.fd, false)
	}
}

func (s *socket) close() {
	if s.open {
		s.open = false
		s.loop.close(s.fd)
	}
}

var endOfHead = []byte("\r\n\r\n")

// Returns the value of a header, or nil.
func header(head []byte, name string) []byte {
	for len(head) > 0 {
		line := head
		if end := bytes.IndexByte(head, '\n'); end >= 0 {
			line, head = head[:end], head[end+1:]
		} else {
			head = nil
		}
		if len(line) > len(name) && line[len(name)] == ':' && bytes.EqualFold(line[:len(name)], []byte(name)) {
			return bytes.TrimSpace(line[len(name)+1:])
		}
	}
	return nil
}

func contentLength(head []byte) int {
	value := header(head, "content-length")
	if value == nil {
		return -1
	}
	length, err := strconv.Atoi(string(value))
	if err != nil {
		return -1
	}
	return length
}

// Returns the value of a member of JSON from a trusted source, with or without a space after the colon.
func member(json []byte, quotedName string) []byte {
	at := bytes.Index(json, []byte(quotedName))
	if at < 0 {
		return nil
	}
	rest := bytes.TrimLeft(json[at+len(quotedName):], " ")
	if len(rest) < 2 || rest[0] != ':' {
		return nil
	}
	rest = bytes.TrimLeft(rest[1:], " ")
	if len(rest) == 0 || rest[0] != '"' {
		return rest
	}
	if end := bytes.IndexByte(rest[1:], '"'); end >= 0 {
		return rest[1 : end+1]
	}
	return nil
}
