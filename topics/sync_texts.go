package topics

// Language is one in which reasons are explained to people.
type Language string

// The languages.
const (
	English    Language = "en"
	Indonesian Language = "id"
)

// Text says in a sentence why a SKU is where it is in a store, and in another what mends it; fix is empty when nothing
// needs mending. A reason that this release does not know is its own text.
func (r SyncReason) Text(l Language) (why, fix string) {
	all := []map[SyncReason]syncText{storeTexts(), pairTexts(), listingTexts(), sendingTexts(), syncedTexts()}
	for _, texts := range all {
		t, known := texts[r]
		switch {
		case known && l == Indonesian:
			return t.alasan, t.solusi
		case known:
			return t.why, t.fix
		}
	}
	return string(r), ""
}

// syncText is the text of one reason in both languages.
type syncText struct{ why, fix, alasan, solusi string }

// storeTexts are of what hinders a whole store.
func storeTexts() map[SyncReason]syncText {
	return map[SyncReason]syncText{
		SyncConfigError: {
			"The store cannot be used as it is set up, so nothing is sent.",
			"Correct what the evidence names: the store's record, its options or its credentials.",
			"Pengaturan toko tidak dapat dipakai, jadi tidak ada yang dikirim.",
			"Perbaiki yang disebut pada bukti: data toko, opsinya, atau kredensialnya.",
		},
		SyncStoreDisabled: {
			"Stock updates are disabled for the store.",
			"Enable them for the store, or for all stores if the switch of store * is on.",
			"Pembaruan stok dinonaktifkan untuk toko ini.",
			"Aktifkan untuk toko ini, atau untuk semua toko bila sakelar toko * menyala.",
		},
		SyncPreview: {
			"The store is in preview: everything is computed, nothing is sent.",
			"Look at what would be sent, then set the store's mode to live.",
			"Toko dalam mode pratinjau: semua dihitung, tidak ada yang dikirim.",
			"Periksa apa yang akan dikirim, lalu ubah mode toko menjadi live.",
		},
		SyncShopUnauthorised: {
			"The shop has withdrawn its authorisation.",
			"Authorise the shop again on the marketplace and renew its credentials.",
			"Toko mencabut otorisasinya.",
			"Otorisasi ulang toko di marketplace dan perbarui kredensialnya.",
		},
		SyncAuthExpired: {
			"The shop's access token has expired and is being renewed.",
			"Nothing to do; if it stays so, authorise the shop again.",
			"Token akses toko kedaluwarsa dan sedang diperbarui.",
			"Tidak perlu apa-apa; bila tetap begini, otorisasi ulang tokonya.",
		},
		SyncShopClosed: {
			"The shop is closed or on holiday.",
			"Open the shop on the marketplace.",
			"Toko sedang tutup atau libur.",
			"Buka toko di marketplace.",
		},
		SyncNoWarehouse: {
			"No warehouse is chosen for the store, so it has nothing to offer.",
			"Choose the warehouses whose stock the store offers.",
			"Belum ada gudang yang dipilih untuk toko, jadi tidak ada yang ditawarkan.",
			"Pilih gudang yang stoknya ditawarkan toko ini.",
		},
	}
}

// pairTexts are of what hinders a pair, whatever the shop sells under it.
func pairTexts() map[SyncReason]syncText {
	return map[SyncReason]syncText{
		SyncItemDisabled: {
			"A person disabled stock updates for this SKU.",
			"Enable them for the SKU.",
			"Seseorang menonaktifkan pembaruan stok untuk SKU ini.",
			"Aktifkan kembali untuk SKU ini.",
		},
		SyncAutoDisabled: {
			"Switched off by itself, because no listing of the store has this SKU.",
			"Correct the SKU of the listing; a new order of it from the store, or enabling it by hand, helps too.",
			"Nonaktif otomatis, karena tidak ada produk di toko dengan SKU ini.",
			"Perbaiki SKU produk; pesanan baru dari toko ini atau mengaktifkannya secara manual juga membantu.",
		},
		SyncMappingPending: {
			"The store's catalogue has not been read to its end since this SKU was first seen.",
			"Wait until the time shown.",
			"Katalog toko belum selesai dibaca sejak SKU ini pertama kali terlihat.",
			"Tunggu sampai waktu yang ditampilkan.",
		},
		SyncSKUMismatch: {
			"No listing of the store has exactly this SKU; case and spaces count.",
			"Correct the SKU of the listing; the near misses are shown.",
			"Tidak ada produk di toko dengan SKU yang persis sama; huruf besar-kecil dan spasi dibedakan.",
			"Perbaiki SKU produk; yang mirip ditampilkan.",
		},
		SyncNoTransactionYet: {
			"No stock mutation and no order was seen for this SKU yet, so nothing is sent.",
			"Post a stock entry for the SKU.",
			"Belum ada mutasi stok atau pesanan untuk SKU ini, jadi tidak ada yang dikirim.",
			"Buat transaksi stok untuk SKU ini.",
		},
	}
}

// listingTexts are of what hinders a listing.
func listingTexts() map[SyncReason]syncText {
	return map[SyncReason]syncText{
		SyncListingDeleted: {
			"The listing was deleted on the marketplace.",
			"List it again.",
			"Produk telah dihapus di marketplace.",
			"Unggah kembali produknya.",
		},
		SyncListingBanned: {
			"The marketplace banned the listing.",
			"Settle it on the marketplace.",
			"Produk diblokir oleh marketplace.",
			"Selesaikan di marketplace.",
		},
		SyncListingArchived: {
			"The listing is archived.",
			"Activate it on the marketplace.",
			"Produk diarsipkan.",
			"Aktifkan di marketplace.",
		},
		SyncListingInactive: {
			"The listing is inactive.",
			"Activate it on the marketplace.",
			"Produk tidak aktif.",
			"Aktifkan di marketplace.",
		},
		SyncListingUntracked: {
			"The marketplace keeps no stock of this listing.",
			"Switch stock tracking on for it.",
			"Stok produk ini tidak dilacak oleh marketplace.",
			"Nyalakan pelacakan stok untuk produk ini.",
		},
		SyncManagedElsewhere: {
			"Another system manages this listing's stock.",
			"Choose one of the two, and let go of it in the other.",
			"Stok produk ini dikelola oleh sistem lain.",
			"Pilih salah satu, dan lepaskan di sistem yang lain.",
		},
		SyncLocationMissing: {
			"The locations of the store's settings and those of the shop do not fit together.",
			"Correct the locations of the store.",
			"Lokasi pada pengaturan toko tidak cocok dengan lokasi di marketplace.",
			"Perbaiki lokasi pada pengaturan toko.",
		},
	}
}

// sendingTexts are of updates that wait, or came out otherwise.
func sendingTexts() map[SyncReason]syncText {
	return map[SyncReason]syncText{
		SyncBraked: {
			"Too many SKUs of the store would fall to 0 at once, so this waits for a person.",
			"Look why; if it is right, release the brake.",
			"Terlalu banyak SKU di toko ini akan turun ke 0 sekaligus, jadi menunggu keputusan orang.",
			"Periksa penyebabnya; bila benar, lepaskan remnya.",
		},
		SyncPromoLocked: {
			"A promotion locks the quantity.",
			"Nothing to do: it is sent when the promotion ends; or take the product out of the promotion.",
			"Promosi mengunci jumlah stok.",
			"Tidak perlu apa-apa: dikirim setelah promosi berakhir; atau keluarkan produk dari promosi.",
		},
		SyncRaiseOnly: {
			"A promotion lets the quantity only rise, so the shop may sell more than there is.",
			"Take the product out of the promotion, or raise the stock; it is lowered when the promotion ends.",
			"Promosi hanya mengizinkan stok naik, jadi toko bisa menjual lebih dari yang ada.",
			"Keluarkan produk dari promosi, atau tambah stok; stok diturunkan setelah promosi berakhir.",
		},
		SyncBelowReserved: {
			"The shop takes no less than it has promised: that much was sent, and the shortfall is shown.",
			"Add stock, or cancel what cannot be delivered.",
			"Toko tidak menerima stok di bawah yang sudah dijanjikan: sebanyak itu yang dikirim, kekurangannya ditampilkan.",
			"Tambah stok, atau batalkan yang tidak bisa dikirim.",
		},
		SyncQuantityRefused: {
			"The shop refused the quantity.",
			"See its answer; a max for the SKU may help.",
			"Toko menolak jumlah stok.",
			"Lihat jawabannya; max untuk SKU ini mungkin membantu.",
		},
		SyncMarketplaceError: {
			"The shop answered with an error, or not at all.",
			"Nothing to do: it is tried again; see the shop's answer.",
			"Toko menjawab dengan galat, atau tidak menjawab.",
			"Tidak perlu apa-apa: akan dicoba lagi; lihat jawaban toko.",
		},
		SyncRateLimited: {
			"The shop takes no more requests just now.",
			"Nothing to do: it is sent as soon as the shop allows.",
			"Toko sedang tidak menerima permintaan lagi.",
			"Tidak perlu apa-apa: dikirim begitu toko mengizinkan.",
		},
		SyncWaiting: {
			"Waiting to be sent.",
			"Nothing to do; if it stays so, see that the sinks run.",
			"Menunggu dikirim.",
			"Tidak perlu apa-apa; bila tetap begini, pastikan sinks berjalan.",
		},
	}
}

// syncedTexts are of what the shop shows.
func syncedTexts() map[SyncReason]syncText {
	return map[SyncReason]syncText{
		SyncChangedOnMarketplace: {
			"The quantity was changed on the marketplace.",
			"Nothing to do: it is being repaired; change stock in the ERP, not on the marketplace.",
			"Jumlah stok diubah di marketplace.",
			"Tidak perlu apa-apa: sedang dipulihkan; ubah stok di ERP, bukan di marketplace.",
		},
		SyncZeroAvailable: {
			"In sync at 0, because Reserved is not below Actual.",
			"Add stock; or see which orders hold it.",
			"Sinkron di angka 0, karena Reserved tidak kurang dari Actual.",
			"Tambah stok; atau lihat pesanan mana yang menahannya.",
		},
		SyncZeroByRule: {
			"In sync at 0 by a rule: buffer, percent, min or max.",
			"Change the rule if that is not meant.",
			"Sinkron di angka 0 karena aturan: buffer, percent, min, atau max.",
			"Ubah aturannya bila bukan itu maksudnya.",
		},
		SyncInSync: {"In sync.", "", "Sinkron.", ""},
	}
}
