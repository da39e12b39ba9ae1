package topics

// DecodeMutationInFull is DecodeMutation without the flat scanner.
func DecodeMutationInFull(key, value []byte, maxBytes int, into *Mutation) *Reject {
	if reject := admit(key, value, true, maxBytes); reject != nil {
		return reject
	}
	return into.decodeAny(key, value)
}

// DecodeOrderInFull is DecodeOrder without the flat scanner.
func DecodeOrderInFull(key, value []byte, maxBytes int, into *Order) *Reject {
	if reject := admit(key, value, true, maxBytes); reject != nil {
		return reject
	}
	return into.decodeAny(key, value)
}

// IsFlat tells whether the flat scanner alone reads value.
func IsFlat(value []byte) bool {
	s := flatScanner{data: value}
	for s.next() { // all of the work is in next
	}
	return s.plain
}

// Murmur2 is the hash behind PartitionOf.
func Murmur2(key []byte) int32 { return int32(murmur2(key)) }

// ParseTotal reads a sum of Quantities.
func ParseTotal(s string) (Quantity, error) { return parseTotal(s) }

// Verify compares the topics of the default prefix with their definitions, as Ensure does with so many partitions for
// SKU-keyed and other topics; -1 = any number.
func Verify(sku, sink int32, deleteChangelog bool, found []TopicReport) []Finding {
	e := ensurer{EnsureConfig: EnsureConfig{Partitions: sku, SinkPartitions: sink}}
	v := verifier{prefix: DefaultPrefix, deleteChangelog: deleteChangelog, wanted: e.counts(nil)}
	for _, d := range Definitions() {
		for i := range found {
			if found[i].Base == d.Base {
				v.verify(&d, &found[i])
			}
		}
	}
	return v.sorted(found)
}

// WantedSettings returns the settings that Ensure makes a topic with.
func WantedSettings(d *Definition, deleteChangelog bool) map[string]string {
	return d.settings(deleteChangelog)
}
