package topics

// Topic changelog: the processor's state, as package state writes it.
//
//	producer    processor, in its transactions
//	consumer    processor (restore, standby), console and CLI through package state
//	key         internal: one byte of kind, then for a chunk of a SKU: SKU, 0x00, chunk number
//	cleanup     compact; delete.retention.ms 7 d; 8 MiB a record. The demo's embedded broker keeps it with delete
//	partitions  P
//	schema      none: binary; every value starts with a format byte. Types and codec are in package state
//	version     a release reads its own and all older formats and halts on a newer one
