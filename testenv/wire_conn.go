package testenv

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// wireConn is one connection of a Wire. kgo writes it from one goroutine at a time and reads it from another.
// Its mutex comes before the wire's, and is never held while bytes are on their way.
type wireConn struct {
	net.Conn // to the broker
	w        *Wire

	closed    chan struct{} // the client has closed it
	closeOnce sync.Once
	gone      chan struct{} // the connection to the broker is closed
	goneOnce  sync.Once
	rdl, wdl  deadline

	in frames // owned by the reader

	mu     sync.Mutex
	out    frames
	doomed map[int32]*Loss // by correlation id: answers to lose
	held   *Loss           // set while a request is held, and so is all that follows it
	late   []byte          // what is held
}

func newWireConn(w *Wire, x net.Conn) *wireConn {
	return &wireConn{
		Conn: x, w: w, closed: make(chan struct{}), gone: make(chan struct{}),
		rdl: newDeadline(), wdl: newDeadline(),
		out: frames{want: 12}, in: frames{want: 8}, doomed: map[int32]*Loss{},
	}
}

// lateAnswer is how long a broker may take over a request that it got late.
const lateAnswer = 10 * time.Second

// reset is what a client sees of a connection that the network broke. Its shape matters: kgo retries what
// comes from the operating system.
func reset(op string) error {
	return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(op, syscall.ECONNRESET)}
}

// Read implements net.Conn.
func (c *wireConn) Read(b []byte) (int, error) {
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	n, err := c.Conn.Read(b)
	if gerr := c.gate(&c.rdl); gerr != nil {
		c.drop() // bytes that came meanwhile are gone, so the stream is
		return 0, gerr
	}
	lostAt := -1
	c.in.scan(b[:n], func(head []byte, at int) bool {
		c.mu.Lock()
		l := c.doomed[int32(binary.BigEndian.Uint32(head[4:]))]
		c.mu.Unlock()
		if l == nil {
			return true
		}
		lostAt = max(0, at)
		l.happened()
		return false
	})
	if lostAt < 0 {
		return n, err
	}
	c.drop()
	if lostAt > 0 {
		return lostAt, nil // answers before it; the next read fails
	}
	return 0, reset("read")
}

// Write implements net.Conn.
func (c *wireConn) Write(b []byte) (int, error) {
	if err := c.gate(&c.wdl); err != nil {
		return 0, err
	}
	rule, end := c.plan(b)
	if end > 0 {
		if n, err := c.Conn.Write(b[:end]); err != nil {
			return n, err
		}
	}
	if rule == nil {
		return len(b), nil
	}
	rule.happened()
	if rule.what == loseRequest {
		c.drop()
		return end, reset("write")
	}
	go c.deliver(rule)
	return len(b), nil
}

// plan says how many bytes of b go to the broker now and which rule keeps the others away; these are in late
// then, if they are held. Bytes that follow held ones are held without a rule of their own.
func (c *wireConn) plan(b []byte) (rule *Loss, end int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := c.held != nil
	end = len(b)
	c.out.scan(b, func(head []byte, at int) bool {
		if held || rule != nil {
			return true
		}
		l := c.w.take(int16(binary.BigEndian.Uint16(head[4:])))
		switch {
		case l == nil:
		case l.what == loseAnswer:
			c.doomed[int32(binary.BigEndian.Uint32(head[8:]))] = l
		default:
			rule, end = l, max(0, at)
		}
		return true
	})
	if held {
		end = 0
	} else if rule != nil && rule.what == holdRequest {
		c.held = rule
	}
	if c.held != nil {
		c.late = append(c.late, b[end:]...)
	}
	return rule, end
}

// deliver waits for the release and sends what was held meanwhile. When the client has gone by then, it takes
// the broker's answer and ends the connection.
func (c *wireConn) deliver(rule *Loss) {
	select {
	case <-rule.release:
	case <-c.gone:
		return
	}
	for {
		c.mu.Lock()
		late := c.late
		c.late = nil
		if len(late) == 0 {
			c.held = nil
		}
		c.mu.Unlock()
		if len(late) == 0 {
			break
		}
		_ = c.Conn.SetWriteDeadline(time.Time{}) // the client's has passed
		if _, err := c.Conn.Write(late); err != nil {
			c.drop()
			return
		}
	}
	select {
	case <-c.closed:
		_ = c.Conn.SetReadDeadline(time.Now().Add(lateAnswer))
		_, _ = c.Conn.Read(make([]byte, 4)) // comes when the broker has done what was asked
		c.drop()
	default:
	}
}

// Close implements net.Conn. With a held request the client is told that it is closed, and the broker still
// gets the request on Release.
func (c *wireConn) Close() error {
	c.closeOnce.Do(func() { close(c.closed) })
	c.mu.Lock()
	held := c.held != nil
	c.mu.Unlock()
	if held {
		return c.Conn.SetReadDeadline(time.Now()) // wakes the reader
	}
	return c.hangUp()
}

// drop breaks the connection, for the client and for the broker.
func (c *wireConn) drop() {
	c.closeOnce.Do(func() { close(c.closed) })
	_ = c.hangUp() // says nothing that the next read or write does not say
}

// hangUp closes the connection to the broker.
func (c *wireConn) hangUp() error {
	err := net.ErrClosed
	c.goneOnce.Do(func() {
		close(c.gone)
		c.w.mu.Lock()
		delete(c.w.conns, c)
		c.w.mu.Unlock()
		err = c.Conn.Close()
	})
	return err
}

// gate waits while the wire is stalled.
func (c *wireConn) gate(d *deadline) error {
	select {
	case <-c.w.flowing():
		return nil
	default:
	}
	select {
	case <-c.w.flowing():
		return nil
	case <-c.closed:
		return net.ErrClosed
	case <-d.passed():
		return os.ErrDeadlineExceeded
	}
}

// SetDeadline implements net.Conn.
func (c *wireConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *wireConn) SetReadDeadline(t time.Time) error {
	c.rdl.set(t)
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline implements net.Conn.
func (c *wireConn) SetWriteDeadline(t time.Time) error {
	c.wdl.set(t)
	return c.Conn.SetWriteDeadline(t)
}

// frames finds the heads of Kafka's frames in a stream that comes in pieces: four bytes of length, then that
// many bytes.
type frames struct {
	want int    // bytes of a head, its length included
	head []byte // of the present frame, until it has want bytes
	left int    // bytes of the present frame after its head
}

// scan calls f with the head of each frame that completes its head in b, and with the place in b where that
// frame began, negative when it began in an earlier piece. It stops when f returns false.
func (s *frames) scan(b []byte, f func(head []byte, at int) bool) {
	for i := 0; i < len(b); {
		if s.left > 0 {
			n := min(s.left, len(b)-i)
			s.left -= n
			i += n
			continue
		}
		n := min(s.want-len(s.head), len(b)-i)
		s.head = append(s.head, b[i:i+n]...)
		i += n
		if len(s.head) < s.want {
			return
		}
		s.left = max(0, int(binary.BigEndian.Uint32(s.head))+4-s.want)
		more := f(s.head, i-s.want)
		s.head = s.head[:0]
		if !more {
			return
		}
	}
}

// deadline is a channel that closes at a time that may be moved.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	ch    chan struct{}
}

func newDeadline() deadline { return deadline{ch: make(chan struct{})} }

func (d *deadline) passed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ch
}

// set moves the deadline; a zero time is none.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.ch // it has fired, and closes the channel without the mutex
	}
	d.timer = nil
	passed := false
	select {
	case <-d.ch:
		passed = true
	default:
	}
	wait := time.Until(t)
	if passed && (t.IsZero() || wait > 0) {
		d.ch = make(chan struct{})
	}
	switch ch := d.ch; {
	case t.IsZero():
	case wait > 0:
		d.timer = time.AfterFunc(wait, func() { close(ch) })
	case !passed:
		close(ch)
	}
}
