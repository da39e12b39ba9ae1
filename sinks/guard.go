package sinks

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
)

// ErrForbiddenAddress reports a URL that leads into a network where user-supplied URLs must not lead.
var ErrForbiddenAddress = errors.New("address is not on the public internet")

// guard keeps requests to user-supplied URLs on the public internet (SSRF). It judges the address that
// is dialled, after the name was resolved, so a name that resolves to two answers gains nothing.
type guard struct {
	allowPrivate bool
}

// control is a net.Dialer's Control: it runs for each address that is tried.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	if g.allowPrivate {
		return nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("dial %q: %w", address, ErrForbiddenAddress)
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !public(ip) {
		return fmt.Errorf("dial %s: %w", host, ErrForbiddenAddress)
	}
	return nil
}

// checkURL refuses URLs that no store may have: other schemes than https (and http where private
// addresses are allowed), credentials in the URL, no host.
func (g guard) checkURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("url is not a URL") // the parser's error repeats the text, which may hold a secret
	}
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !g.allowPrivate):
		return nil, fmt.Errorf("url has scheme %q, want https", u.Scheme)
	case u.User != nil:
		return nil, errors.New("url holds a user name; put credentials where credentials_ref points")
	case u.Hostname() == "":
		return nil, errors.New("url has no host")
	case u.Fragment != "":
		return nil, errors.New("url has a fragment")
	}
	ip, err := netip.ParseAddr(u.Hostname())
	switch {
	case err == nil && !g.allowPrivate && !public(ip):
		return nil, fmt.Errorf("url leads to %s: %w", ip, ErrForbiddenAddress)
	case err != nil && endsInNumber(u.Hostname()):
		return nil, fmt.Errorf("url has host %q, which is neither a name nor an address", u.Hostname())
	}
	return u, nil
}

// endsInNumber tells whether a host's last label is a number: no name ends so, and some resolvers read
// 2130706433, 0x7f.1 and 0177.0.0.1 as 127.0.0.1.
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	_, err := strconv.ParseUint(last, 0, 64)
	return err == nil || last != "" && strings.Trim(last, "0123456789") == ""
}

// public tells whether an address is one of the public internet. Forms of IPv6 that carry an IPv4
// address are judged by that address.
func public(ip netip.Addr) bool {
	if !ip.IsValid() || ip.Zone() != "" {
		return false
	}
	if inner, ok := embedded(ip); ok {
		return public(inner)
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	if ip.Is6() && !v6(3, 0x20).Contains(ip) { // IANA has given out nothing else
		return false
	}
	for _, block := range reserved() {
		if block.Contains(ip) {
			return false
		}
	}
	return true
}

// embedded returns the IPv4 address inside an IPv6 address: mapped ::ffff:a.b.c.d, compatible ::a.b.c.d,
// NAT64 64:ff9b::/96 and 6to4 2002::/16.
func embedded(ip netip.Addr) (netip.Addr, bool) {
	if ip.Is4In6() {
		return ip.Unmap(), true
	}
	if !ip.Is6() {
		return ip, false
	}
	b := ip.As16()
	switch {
	case v6(96).Contains(ip) && b[12]|b[13]|b[14] != 0, v6(96, 0x00, 0x64, 0xff, 0x9b).Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return ip, false
}

func v4(bits int, a, b, c, d byte) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, c, d}), bits)
}

// v6 returns a block by its length and first bytes; the others are 0.
func v6(bits int, first ...byte) netip.Prefix {
	var a [16]byte
	copy(a[:], first)
	return netip.PrefixFrom(netip.AddrFrom16(a), bits)
}

// reserved lists what IANA keeps back from the public internet beyond loopback, link-local, multicast
// and RFC 1918, which netip knows.
func reserved() []netip.Prefix {
	return []netip.Prefix{
		v4(8, 0, 0, 0, 0),
		v4(10, 100, 64, 0, 0),  // carrier-grade NAT, and the metadata service of one cloud
		v4(24, 192, 0, 0, 0),   // protocol assignments, and the metadata service of another
		v4(24, 192, 0, 2, 0),   // documentation
		v4(24, 192, 88, 99, 0), // 6to4 relays
		v4(15, 198, 18, 0, 0),  // benchmarks
		v4(24, 198, 51, 100, 0),
		v4(24, 203, 0, 113, 0),
		v4(4, 240, 0, 0, 0),
		v4(32, 168, 63, 129, 16),       // a cloud's host agent, on a public address
		v6(23, 0x20, 0x01),             // protocol assignments, Teredo among them
		v6(32, 0x20, 0x01, 0x0d, 0xb8), // documentation
		v6(20, 0x3f, 0xff),
	}
}
