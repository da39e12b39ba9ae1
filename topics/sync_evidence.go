package topics

// EvidenceKeys returns the keys of a status's evidence that are for people, in the order to show them. Evidence may
// have others, which are for the sinks themselves.
func EvidenceKeys() []string {
	labels := evidenceLabels()
	keys := make([]string, len(labels))
	for i := range labels {
		keys[i] = labels[i].key
	}
	return keys
}

// EvidenceLabel names a key of evidence to people; a key that is not known names itself.
func EvidenceLabel(key string, l Language) string {
	for _, known := range evidenceLabels() {
		if known.key != key {
			continue
		}
		if l == Indonesian {
			return known.indonesian
		}
		return known.english
	}
	return key
}

// evidenceLabelOf names one key of evidence.
type evidenceLabelOf struct{ key, english, indonesian string }

func evidenceLabels() []evidenceLabelOf {
	return []evidenceLabelOf{
		{"error", "error", "kesalahan"},
		{"code", "the marketplace's code", "kode dari marketplace"},
		{"message", "the marketplace's answer", "jawaban marketplace"},
		{"scope", "switched off for", "dimatikan untuk"},
		{"by", "by", "oleh"},
		{"since", "since", "sejak"},
		{"until", "until", "sampai"},
		{"near_misses", "differs by case or spaces only", "hanya beda huruf besar/kecil atau spasi"},
		{"catalogue_read_at", "catalogue last read", "katalog terakhir dibaca"},
		{"auto_disable", "auto-disable", "nonaktif otomatis"},
		{"product_id", "product", "produk"},
		{"variant_id", "variant", "varian"},
		{"locations", "locations of the listing", "lokasi pada listing"},
		{"last", "last sent", "terakhir dikirim"},
		{"floor", "least that the shop takes", "batas terendah yang diterima toko"},
		{"qty", "quantity that was refused", "jumlah yang ditolak"},
		{"tried_at", "tried", "dicoba"},
		{"position", "place in the queue", "nomor antrean"},
		{"estimate", "about", "kira-kira pukul"},
		{"seen", "seen on the marketplace", "terlihat di marketplace"},
		{"ours", "sent by us", "dikirim oleh kami"},
		{"at", "when", "kapan"},
		{"net", "net stock", "stok bersih"},
	}
}
