package sinks

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
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
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !g.allowPrivate && !public(ip) {
		return nil, fmt.Errorf("url leads to %s: %w", ip, ErrForbiddenAddress)
	}
	return u, nil
}

// public tells whether an address is one of the public internet. Forms of IPv6 that carry an IPv4
// address are judged by that address.
func public(ip netip.Addr) bool {
	if inner, ok := embedded(ip); ok {
		return public(inner)
	}
	if !ip.IsValid() || !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Zone() != "" {
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
	case netip.PrefixFrom(netip.IPv6Unspecified(), 96).Contains(ip) && b[12]|b[13]|b[14] != 0,
		nat64().Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return ip, false
}

func nat64() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{1: 0x64, 2: 0xff, 3: 0x9b}), 96)
}

// reserved lists what IANA keeps back from the public internet beyond loopback, link-local, multicast
// and RFC 1918, which netip knows.
func reserved() []netip.Prefix {
	v4 := func(a, b, c, d byte, bits int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, c, d}), bits)
	}
	v6 := func(bits int, b ...byte) netip.Prefix {
		var a [16]byte
		copy(a[:], b)
		return netip.PrefixFrom(netip.AddrFrom16(a), bits)
	}
	return []netip.Prefix{
		v4(0, 0, 0, 0, 8),
		v4(100, 64, 0, 0, 10),  // carrier-grade NAT, and the metadata service of one cloud
		v4(192, 0, 0, 0, 24),   // protocol assignments, and the metadata service of another
		v4(192, 0, 2, 0, 24),   // documentation
		v4(192, 88, 99, 0, 24), // 6to4 relays
		v4(198, 18, 0, 0, 15),  // benchmarks
		v4(198, 51, 100, 0, 24),
		v4(203, 0, 113, 0, 24),
		v4(240, 0, 0, 0, 4),
		v4(168, 63, 129, 16, 32),                   // a cloud's host agent, on a public address
		v6(48, 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01), // local NAT64
		v6(64, 0x01, 0x00),                         // discard
		v6(23, 0x20, 0x01),                         // protocol assignments, Teredo among them
		v6(32, 0x20, 0x01, 0x0d, 0xb8),             // documentation
		v6(20, 0x3f, 0xff),
		v6(16, 0x5f, 0x00), // segment routing
	}
}
