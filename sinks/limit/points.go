package limit

import "time"

// Bucket is what a shop that counts points says in an answer. The zero Bucket says nothing.
type Bucket struct {
	Cost      float64 // of that request, as it was reckoned before it ran
	Available float64 // points left
	Maximum   float64 // that the bucket holds
	Restore   float64 // points that flow in each second
}

// points is the bucket of points as far as the last answer and the requests since tell.
type points struct {
	cost     float64 // that the next request is taken to cost; 0: the shop counts none
	bucket   Bucket
	at       time.Time // of bucket.Available; zero: nothing was said yet
	inFlight int       // requests whose answers have said nothing yet
}

func newPoints(cost float64) *points { return &points{cost: cost} }

// counted tells whether the shop counts points, and has said how many there are.
func (p *points) counted() bool { return p.cost > 0 && !p.at.IsZero() }

// level is what is left in the bucket.
func (p *points) level(now time.Time) float64 {
	in := max(0, now.Sub(p.at).Seconds()) * p.bucket.Restore
	return min(p.bucket.Maximum, p.bucket.Available+in)
}

// wait returns how long until the bucket holds what a request costs. Before the shop has said anything one
// request at a time finds out.
func (p *points) wait(now time.Time) time.Duration {
	switch {
	case p.cost == 0:
		return 0
	case p.at.IsZero():
		if p.inFlight == 0 {
			return 0
		}
		return 10 * time.Millisecond
	}
	missing := min(p.cost, p.bucket.Maximum) - p.level(now)
	if missing <= 0 {
		return 0
	}
	if p.bucket.Restore <= 0 {
		return time.Second // it says that nothing flows in: the next answer says more
	}
	return max(time.Duration(missing/p.bucket.Restore*float64(time.Second)), time.Millisecond)
}

// take takes what a request costs out of the bucket.
func (p *points) take(now time.Time) {
	p.inFlight++
	if p.counted() {
		p.bucket.Available, p.at = p.level(now)-p.cost, now
	}
}

// done notes the end of a request.
func (p *points) done() { p.inFlight = max(0, p.inFlight-1) }

// told takes what the shop says over what was reckoned, less what requests in flight will cost, of which the
// one that was answered is none any more.
func (p *points) told(b Bucket, now time.Time) {
	if b == (Bucket{}) {
		return
	}
	// A cost that falls is followed slowly: the next request may be as large as the last large one.
	p.cost = max(b.Cost, p.cost*0.9)
	others := float64(max(0, p.inFlight-1))
	p.bucket, p.at = b, now
	p.bucket.Available -= others * p.cost
}
