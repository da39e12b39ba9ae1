// Package testenv is the world stocksync is tested in: brokers, programs, a network that fails when
// told to, and a shop that checks what it is sent. The demo runs on it too; nothing else imports it.
//
//	cluster.go             a Kafka cluster, whatever it is made of; topic prefixes of a test's own
//	kfake.go               in this process: port 0 on loopback, or no port at all (testing/synctest)
//	kafka*.go              Apache Kafka 4.3.1 (KRaft) from its jars: one or three nodes, kill -9, restart
//	install.go             programs in the user's cache, fetched once
//	each.go                one test, run on kfake and, when asked for, on a real broker
//	once.go                what a test binary starts or builds once: Main
//	child*.go              programs that do not outlive this one, on free ports
//	wait.go                waiting for a condition: Until
//	program.go             somebody else's program, such as a database or a shop
//	process.go             the stocksync program as a child process: kill, terminate, pause
//	wire.go                the network of one client: stalls, cuts, lost and held requests and answers
//	sandbox*.go            a shop that speaks the webhook dialect
//	twin/                  shops on marketplaces: what they share, and a directory for each dialect
//	oversell/              what stores sell beyond what is there, by several ways of bringing numbers to them
//	workload*.go oracle*.go checker*.go   what goes in, what must come out, and whether it did
//
// # Which broker
//
// [StartKfake] never needs anything from outside. [StartKafka] takes the cluster that KAFKA_BROKERS
// names, or starts one from the jars that Maven fetches once into the user's cache directory; it needs
// java 17 and mvn. [Each] runs a test on kfake always and on a real broker when STOCKSYNC_KAFKA=1.
// A package whose tests use Each has
//
//	func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
//
// so that they share one broker; without it each test starts its own, which costs seconds.
//
// # Rules
//
// Ports are free ones, chosen at run time. What is started here ends with the test that started it,
// and with the test binary if that dies first (on Linux, by the kernel). Only processes that were
// started here are ever signalled. Nothing sleeps: it waits for a condition, with [Until].
package testenv
