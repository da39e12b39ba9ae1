package sinks_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"stocksync/sinks"
)

func TestPublic_KnowsTheAddressesOfThePublicInternet(t *testing.T) {
	for text, want := range map[string]bool{
		// public
		"8.8.8.8": true, "1.1.1.1": true, "9.255.255.255": true, "11.0.0.0": true, "100.63.255.255": true,
		"100.128.0.0": true, "126.255.255.255": true, "128.0.0.0": true, "169.253.255.255": true,
		"169.255.0.0": true, "172.15.255.255": true, "172.32.0.0": true, "192.0.1.0": true, "192.167.255.255": true,
		"192.169.0.0": true, "198.17.255.255": true, "198.20.0.0": true, "223.255.255.255": true,
		"168.63.129.15": true, "2606:4700:4700::1111": true, "2a00::1": true, "2001:200::1": true, "3ffe::1": true,
		// this host, loopback
		"0.0.0.0": false, "0.1.2.3": false, "127.0.0.1": false, "127.255.255.254": false, "::1": false, "::": false,
		// private
		"10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.0.1": false, "fc00::1": false, "fdff::1": false,
		// link-local, among them metadata services
		"169.254.169.254": false, "169.254.0.1": false, "fe80::1": false, "febf::1": false, "fe80::1%eth0": false,
		"fd00:ec2::254": false, "100.100.100.200": false, "192.0.0.192": false, "168.63.129.16": false,
		// carrier-grade NAT, reserved, documentation, benchmarks, relays
		"100.64.0.1": false, "100.127.255.255": false, "192.0.0.1": false, "192.0.2.1": false, "192.88.99.1": false,
		"198.18.0.1": false, "198.19.255.255": false, "198.51.100.1": false, "203.0.113.1": false, "240.0.0.1": false,
		"2001:db8::1": false, "3fff::1": false, "5f00::1": false, "100::1": false, "4000::1": false,
		// multicast, broadcast, site-local
		"224.0.0.1": false, "239.255.255.255": false, "255.255.255.255": false, "ff02::1": false, "fec0::1": false,
		// IPv4 inside IPv6
		"::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "::ffff:10.0.0.1": false, "::ffff:8.8.8.8": true,
		"::127.0.0.1": false, "::10.0.0.1": false, "64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false,
		"64:ff9b::808:808": true, "64:ff9b:1::808:808": false, "2002:7f00:1::1": false, "2002:a9fe:a9fe::1": false,
		"2002:c0a8:101::1": false, "2002:808:808::1": true, "2001:0:808:808::1": false, "2002:808:808::1%x": false,
	} {
		if got := sinks.Public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: got public %v, want %v", text, got, want)
		}
		if err := sinks.Control(net.JoinHostPort(text, "443")); (err == nil) != want || err != nil && !errors.Is(err, sinks.ErrForbiddenAddress) {
			t.Errorf("dial %s: got %v, want allowed %v", text, err, want)
		}
	}
	if sinks.Public(netip.Addr{}) {
		t.Error("no address is public")
	}
	for _, address := range []string{"", "8.8.8.8", "localhost:443", ":443", "/run/socket"} {
		if err := sinks.Control(address); !errors.Is(err, sinks.ErrForbiddenAddress) {
			t.Errorf("dial %q: got %v, want it refused", address, err)
		}
	}
}

func TestCheckURL_TakesHTTPSToAHostOnly(t *testing.T) {
	for text, want := range map[string]string{
		"https://shop.example/hook?token=1":    "",
		"https://shop.example:8443":            "",
		"https://8.8.8.8/hook":                 "",
		"https://[2606:4700:4700::1111]/":      "",
		"http://shop.example/":                 `scheme "http"`,
		"ftp://shop.example/":                  `scheme "ftp"`,
		"file:///etc/passwd":                   `scheme "file"`,
		"shop.example/hook":                    `scheme ""`,
		"//shop.example/hook":                  `scheme ""`,
		"":                                     `scheme ""`,
		"https:shop.example":                   "no host",
		"https://":                             "no host",
		"https:///hook":                        "no host",
		"https://:443/":                        "no host",
		"https://ani:secret@shop.example/":     "user name",
		"https://shop.example/#top":            "fragment",
		"https://127.0.0.1/":                   "not on the public internet",
		"https://[::1]/":                       "not on the public internet",
		"https://169.254.169.254/latest/":      "not on the public internet",
		"https://[::ffff:169.254.169.254]/":    "not on the public internet",
		"https://[fe80::1%25eth0]/":            "not on the public internet",
		"https://10.0.0.1:8443/":               "not on the public internet",
		"https://shop.example/%zz?key=s3cr3t":  "not a URL",
		"https://shop.example:port/":           "not a URL",
		"https://shop .example/":               "not a URL",
		"https://shop.example/\x00":            "not a URL",
		"https://2130706433/":                  "neither a name nor an address",
		"https://0x7f000001/":                  "neither a name nor an address",
		"https://0x7f.1/":                      "neither a name nor an address",
		"https://0177.0.0.1/":                  "neither a name nor an address",
		"https://127.1:8443/":                  "neither a name nor an address",
		"https://127.0.0.1./":                  "neither a name nor an address",
		"https://99999999999999999999999/":     "neither a name nor an address",
		"https://shop.example./":               "",
		"https://shop4u.4you/":                 "",
		"gopher://169.254.169.254/_GET%20/":    `scheme "gopher"`,
		"HTTPS://shop.example/":                "",
		"https://shop.example\\@169.254.169.2": "not a URL",
	} {
		_, err := sinks.CheckURL(text)
		if got := errText(err); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		if strings.Contains(errText(err), "s3cr3t") {
			t.Errorf("%q: the error repeats what may be a secret: %v", text, err)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCheckURL_AllowsPlainHTTPAndPrivateHostsWhereToldTo(t *testing.T) {
	h := sinks.NewHTTP(true)
	for _, text := range []string{"http://127.0.0.1:8080/x", "https://10.0.0.1/", "http://shop/"} {
		if _, err := h.CheckURL(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"ftp://127.0.0.1/", "http://a:b@127.0.0.1/", "http://"} {
		if _, err := h.CheckURL(text); err == nil {
			t.Errorf("%s: want an error", text)
		}
	}
}

// TestHTTP_NamesThatLeadInsideAreRefused ensures that the address that is dialled decides, whatever name led
// to it.
func TestHTTP_NamesThatLeadInsideAreRefused(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a request came in")
	}))
	defer inside.Close()
	_, port, err := net.SplitHostPort(inside.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	h := sinks.NewHTTP(false)
	defer h.Close()
	h.ResolveWith(names(t, map[string][]string{
		"private.example.": {"127.0.0.1"}, "metadata.example.": {"169.254.169.254"}, "ten.example.": {"10.0.0.1", "192.168.0.1"},
		"mapped.example.": {"::ffff:127.0.0.1"}, "nat64.example.": {"64:ff9b::7f00:1"}, "zero.example.": {"0.0.0.0"},
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, host := range []string{
		"private.example", "metadata.example", "ten.example", "mapped.example", "nat64.example", "zero.example",
		"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]",
	} {
		_, err := h.Do(ctx, sinks.Request{Method: http.MethodPost, URL: "http://" + host + ":" + port + "/?key=s3cr3t"})
		if !errors.Is(err, sinks.ErrForbiddenAddress) {
			t.Errorf("%s: got %v, want the address refused", host, err)
		}
		if o := sinks.ClassifyError(err); o.Class != sinks.ClassConfig || strings.Contains(o.Message, "s3cr3t") {
			t.Errorf("%s: got %s %q, want config, and no query", host, o.Class, o.Message)
		}
	}
}

// names is a resolver that knows some names and no others.
func names(t *testing.T, known map[string][]string) *net.Resolver {
	t.Helper()
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go answerNames(server, known)
		return stream{client}, nil
	}}
}

// stream is a connection that is no packet connection, so that the resolver sends each message with its length.
type stream struct{ net.Conn }

// answerNames answers the questions of one connection: RFC 1035 over TCP, as much of it as there is need for.
func answerNames(c net.Conn, known map[string][]string) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := readFull(c, size[:]); err != nil {
			return
		}
		q := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := readFull(c, q); err != nil {
			return
		}
		name, end := "", 12
		for q[end] != 0 {
			name += string(q[end+1:end+1+int(q[end])]) + "."
			end += 1 + int(q[end])
		}
		end += 5 // root, type, class
		kind := binary.BigEndian.Uint16(q[end-4:])
		a := append([]byte(nil), q[:end]...)
		a[2], a[3] = 0x84, 0x00 // answer, authoritative
		var count uint16
		for _, text := range known[strings.ToLower(name)] {
			ip := netip.MustParseAddr(text)
			data, is := ip.AsSlice(), uint16(28)
			if ip.Is4() {
				is = 1
			}
			if is != kind {
				continue
			}
			count++
			a = append(a, 0xc0, 12)
			a = binary.BigEndian.AppendUint16(a, is)
			a = append(a, 0, 1, 0, 0, 0, 1)
			a = binary.BigEndian.AppendUint16(a, uint16(len(data)))
			a = append(a, data...)
		}
		binary.BigEndian.PutUint16(a[6:], count)
		binary.BigEndian.PutUint32(a[8:], 0)
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...)); err != nil {
			return
		}
	}
}

func readFull(c net.Conn, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = c.Read(b[n:])
		n += m
	}
	return n, err
}
