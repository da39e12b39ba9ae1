package processor_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// mutant is a bug planted in the tree, and the test that must find it.
type mutant struct {
	name  string
	edits []edit
	of    string // package of the test
	test  string // as -run takes it, without what -run does by itself
}

// mutants are bugs that others have had, or that a step of the protocol is there to prevent.
var mutants = []mutant{
	{
		// A death does not show it: what was written last is still in the memory of the dead. An abort does.
		name: "Pebble before the commit", test: "TestMove_CoordinatorsThatAreNotReadyCostNothing", of: "processor",
		edits: []edit{
			{
				"processor/lane.go", "\tl.p.crash(\"after flush, before offsets\")\n",
				"\tfor _, t := range moved {\n\t\tif err := t.Committed(produced.last[t.Partition()], began); err != nil {\n" +
					"\t\t\treturn err\n\t\t}\n\t}\n\tl.p.crash(\"after flush, before offsets\")\n",
			},
			{
				"processor/lane.go",
				"\t\tif err := t.Committed(produced.last[t.Partition()], now); err != nil {\n\t\t\treturn err\n\t\t}\n", "",
			},
		},
	},
	{
		name: "positions in a batch of their own", test: "TestFlush_IsWholeWhereverTheLogEnds", of: "state",
		edits: []edit{{
			"state/writes.go", "\tif err := t.batches.mark(b, t.position.append(nil)); err != nil {\n",
			"\tp := t.store.db.NewBatch()\n" +
				"\tif err := errors.Join(t.batches.mark(p, t.position.append(nil)), p.Commit(pebble.NoSync)); err != nil {\n",
		}},
	},
	{
		name: "restores up to the last stable offset", test: "TestRestore_WaitsForACommitThatIsPending", of: "processor",
		edits: []edit{{
			"processor/bounds.go", "p.admin.ListEndOffsets(ctx, names...)", "p.admin.ListCommittedOffsets(ctx, names...)",
		}},
	},
	{
		name: "restores what was aborted", test: "TestCrash_AtEveryRowOfTheTable", of: "processor",
		edits: []edit{{
			"processor/restore.go",
			"{changelog: from}),\n\t\tkgo.FetchIsolationLevel(kgo.ReadCommitted()),\n", "{changelog: from}),\n",
		}},
	},
	{
		name: "takes a restore's target for its position", test: "TestRestore_GoesOnWhereItWasCutShort/kfake", of: "processor",
		edits: []edit{{
			"processor/restore.go", "\tnext := records[len(records)-1].Offset + 1\n",
			"\tnext := b.changelog.end[t.partition]\n",
		}},
	},
	{
		name: "all tasks wait while one restores", test: "TestNightly_WaitsWhileATaskRestores", of: "processor",
		edits: []edit{{
			"processor/restore.go", "\tl.restores = r\n\tgo func() {\n\t\tdefer close(r.ended)\n",
			"\tl.restores = r\n\tdefer func() { <-r.ended }()\n\tgo func() {\n\t\tdefer close(r.ended)\n",
		}},
	},
	{
		name: "a failed promise does not abort", test: "TestGroup_AbortsAllWhenOneRecordIsRefused/kfake", of: "processor",
		edits: []edit{{"processor/produce.go", "\tif made.err != nil {\n", "\tif false {\n"}},
	},
	{
		name: "produces for a partition that is lost", test: "TestGroup_ProducesNothingForALostPartition/kfake",
		of: "processor",
		edits: []edit{{
			"processor/assign.go", "if !assigned[p] || gained[p] {", "if gained[p] {",
		}},
	},
	{
		name: "a transaction without an offset of the group", test: "TestGroup_RefusesTheCommitOfADeafZombie",
		of: "processor",
		edits: []edit{{
			"processor/lane.go", "l.session.End(l.withOffsets(flight, moved), kgo.TryCommit)",
			"l.session.End(flight, kgo.TryCommit)",
		}},
	},
	{
		name: "goes on after an abort without a replay", test: "TestRestore_TellsWhatBecameOfACommitWithoutAnAnswer",
		of: "processor",
		edits: []edit{{
			"processor/lane.go", "\t\tif err := l.startAgain(t); err != nil {\n\t\t\treturn err\n\t\t}\n",
			"\t\tif err := t.rollback(); err != nil {\n\t\t\treturn err\n\t\t}\n\t\tl.seek(t)\n",
		}},
	},
	{
		name: "takes an error of the commit for an abort", test: "TestGroup_LosesTheAnswerToACommit/kfake", of: "processor",
		edits: []edit{
			{
				"processor/lane.go", "\treturn fmt.Errorf(\"%w: %w\", errSession, errors.Join(cause, err))\n",
				"\tif err != nil {\n\t\treturn fmt.Errorf(\"%w: %w\", errSession, errors.Join(cause, err))\n\t}\n" +
					"\treturn l.foldAgain(ctx, false)\n",
			},
			{
				"processor/lane.go", "\t\tif err := l.startAgain(t); err != nil {\n\t\t\treturn err\n\t\t}\n",
				"\t\tif err := t.rollback(); err != nil {\n\t\t\treturn err\n\t\t}\n\t\tl.seek(t)\n",
			},
		},
	},
	{
		name: "goes on where the group's offsets are", test: "TestPositions_AreWhereTheTaskGoesOn/kfake", of: "processor",
		edits: []edit{{"processor/assign.go", "\tl.compareGroup(t)\n\tl.seek(t)\n", "\tl.compareGroup(t)\n"}},
	},
	{
		name: "passes over input that is gone", test: "TestHalts_AtInputThatIsGoneBeforeItWasFolded/kfake", of: "processor",
		edits: []edit{{"processor/restore.go", "\t\tif start <= in.Next {\n", "\t\tif true {\n"}},
	},
	{
		name: "a lost leader's input is read on", test: "TestHalts_AtInputThatALeaderLost", of: "processor",
		edits: []edit{{
			"processor/fold.go", "case errors.As(err, &lost), errors.Is(err, kerr.OffsetOutOfRange):",
			"case errors.As(err, &lost) && input < 0, errors.Is(err, kerr.OffsetOutOfRange):",
		}},
	},
	{
		name: "a forwarded record counts as applied", test: "TestForward_/kfake", of: "processor",
		edits: []edit{{
			"processor/fold.go", "return state.Forwarded, nil, nil", "return state.Applied, nil, nil",
		}},
	},
	{
		name: "a run begins anew after a crash", test: "TestNightly_ResumesAfterCrashesWhereItWas", of: "processor",
		edits: []edit{{
			"processor/nightly.go", "id: n.RunID, date: date, cursor: n.Cursor,", "id: n.RunID, date: date, cursor: cursorEmitting,",
		}},
	},
	{
		name: "the cache keeps what was rolled back", test: "TestTask_AgreesWithTheOracleWhateverHappens", of: "state",
		edits: []edit{{
			"state/commit.go", "\t\tt.cache.remove(it)\n\t\tit.end(&t.touched)\n", "\t\tit.end(&t.touched)\n",
		}},
	},
	{
		name: "what the cache let go is taken for new", test: "TestCache_IsBounded", of: "state",
		edits: []edit{{"state/cache.go", "\tc.partial = true\n", ""}},
	},
	{
		name: "what was stored before is taken for new", test: "TestStore_SurvivesAPowerCutAtAnyMoment", of: "state",
		edits: []edit{{"state/task.go", "t.position, t.cache.partial = stored, true", "t.position = stored"}},
	},
	{
		name: "a range left alone for long is believed", test: "TestOpenTask_DropsARangeLeftAloneForSixDays", of: "state",
		edits: []edit{{"state/task.go", "\tif stored.stale(now) {\n", "\tif false {\n"}},
	},
	{
		name: "a revision is the wall clock", test: "TestCommitted_RevisionsGrowWhateverTheClockSays", of: "state",
		edits: []edit{{"state/commit.go", "max(it.revision+1, wallMs)", "wallMs"}},
	},
	{
		name: "a repeat is applied again", test: "TestFold_RepeatsLeaveNoTrace", of: "state",
		edits: []edit{
			{"state/fold.go", "if held && m.Version == old.version && old.sameContent(&candidate) {", "if false {"},
			{"state/fold.go", "if held && m.Version == old.version {\n", "if false {\n"},
		},
	},
	{
		name: "ties of effective_at are not broken by seq", test: "TestFold_EqualsHandWorkedScenarios", of: "state",
		edits: []edit{{
			"state/item.go", "\tcase p.seq != q.seq:\n\t\treturn cmpInt(p.seq, q.seq)\n", "",
		}},
	},
}

// Each mutant must turn its test red, which is green without it, and not by failing to build. `make mutants` runs
// it, some seconds a mutant.
func TestMutants_AreFound(t *testing.T) {
	if os.Getenv("STOCKSYNC_MUTANTS") == "" {
		return
	}
	green := map[string]bool{}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			at := m.of + " " + m.test
			if !green[at] {
				if out, err := m.run(t); err != nil {
					t.Fatalf("%s fails without it:\n%s", m.test, out)
				}
				green[at] = true
			}
			began := time.Now()
			out, err := m.run(t, m.edits...)
			red := regexp.MustCompile("(?m)^--- FAIL: " + strings.SplitN(m.test, "/", 2)[0])
			switch {
			case err == nil:
				t.Errorf("%s does not find it", m.test)
			case !red.MatchString(out):
				t.Errorf("%s did not come to fail:\n%s", m.test, out)
			default:
				t.Logf("found by %s, after %s with the build", m.test, time.Since(began).Round(time.Second/10))
			}
		})
	}
}

// run runs the mutant's test in a tree with edits.
func (m *mutant) run(t *testing.T, edits ...edit) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	parts := strings.Split(m.test, "/")
	parts[0] = "^" + parts[0]
	return goCommand(ctx, overlay(t, edits...), "test", "-tags", "synctests", "-count", "1", "-failfast",
		"-timeout", "4m", "-v", "-run", strings.Join(parts, "/"), "./"+m.of)
}
