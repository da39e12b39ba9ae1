// Package topics is the public contract of stocksync as Go: every Kafka topic's record type, codec, key and JSON
// Schema, the partitioner, the topic definitions, and the headers of dead letters and forwarded records.
//
// It is the leaf of the module. It knows nothing of the fold, of Pebble, of HTTP or of the environment, and it keeps
// no state: every function is safe for concurrent use on different values.
//
// One file holds one topic, headed by a table of who writes it, who reads it, its key and its clean-up. The three
// inputs (mutations, orders, commands) are decoded strictly: a record is accepted whole or rejected with one Reason
// and a message that names field and value. The output topics are read tolerantly: unknown fields are ignored.
//
// Guarantees the tests hold:
//
//   - T1: the flat scanner and the full JSON reader accept, reject and read exactly the same records.
//   - T2: what AppendJSON or Encode writes of a valid record is valid under the topic's JSON Schema and decodes to the
//     same value.
//   - T3: Go fields, schema and examples name the same fields.
//   - T4: PartitionOf equals the Java default partitioner.
//   - T5: a dead letter always fits MaxOutputBytes, whatever the record it was made from.
package topics
