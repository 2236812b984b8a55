package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/doorward/doorward/cmd/doorward/bench"
	"github.com/doorward/doorward/cmd/doorward/bench/report"
	"github.com/doorward/doorward/cmd/doorward/client"
)

func newBench(a *app) *cobra.Command {
	var run string
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Put load on Doorward on this machine, and say what it does",
		Long: `Put load on Doorward and say what it does. A benchmark makes what it needs in a
temporary directory and on loopback, and removes it; only write and sts ask a store
that --endpoint names, if it is given. Figures are comparable within one run only:
each says where and when it was made, and ` + "`doorward bench show`" + ` refuses to put
different runs side by side.`,
		Example: `  doorward bench authz
  doorward bench write --writers 1,128 --seconds 5
  doorward bench failover --kills 10 --output json`,
	}
	cmd.PersistentFlags().StringVar(&run, "run", "", "`ID` that parts of one run share; default: a new one")
	flags := benchFlags{app: a, run: &run}
	cmd.AddCommand(
		flags.authz(), flags.verify(), flags.policy(), flags.sts(), flags.write(), flags.fleet(), flags.failover(), flags.scale(), newBenchShow(a),
	)
	return cmd
}

// benchmark is what adds its tables to a report.
type benchmark interface {
	Run(context.Context, *report.Report) error
}

// benchFlags are what all benchmarks have in common.
type benchFlags struct {
	*app
	run     *string
	seconds float64
}

// progress shows what goes on, over one line if people look.
func (f *benchFlags) progress() bench.Progress {
	file, ok := f.Err.(*os.File)
	return bench.Progress{To: f.Err, Live: ok && term.IsTerminal(int(file.Fd()))}
}

// remote is the store that --endpoint or DOORWARD_ENDPOINT names, nil if neither does.
func (f *benchFlags) remote(cmd *cobra.Command) (*bench.Remote, error) {
	if !cmd.Flags().Changed("endpoint") && f.Getenv("DOORWARD_ENDPOINT") == "" {
		return nil, nil
	}
	c, err := client.Lookup(f.Getenv, f.profile)
	if err != nil {
		return nil, err
	}
	return &bench.Remote{Endpoint: f.endpoint, AccessKey: c.AccessKeyID, Secret: c.SecretAccessKey, Token: c.SessionToken}, nil
}

func (f *benchFlags) measure(cmd *cobra.Command, b benchmark) error {
	r := report.New(report.NewRun(*f.run))
	if err := b.Run(cmd.Context(), r); err != nil {
		return err
	}
	return f.show(r)
}

func (a *app) show(r *report.Report) error {
	if a.output == outputJSON {
		return a.json(r)
	}
	return r.Write(a.Out)
}

// addSeconds adds the flag for the time of a step. Benchmarks are bounded in time.
func (f *benchFlags) addSeconds(cmd *cobra.Command, byDefault time.Duration) {
	cmd.Flags().Float64Var(&f.seconds, "seconds", byDefault.Seconds(), "how `LONG` each step takes, up to 600")
}

func (f *benchFlags) step() (time.Duration, error) {
	if f.seconds <= 0 || f.seconds > 600 {
		return 0, fmt.Errorf("--seconds is %v: want more than 0, and at most 600", f.seconds)
	}
	return time.Duration(f.seconds * float64(time.Second)), nil
}

// within asks that a flag lies between two numbers.
func within(flag string, least, most int, values ...int) error {
	if len(values) == 0 {
		return fmt.Errorf("--%s is empty: want a number from %d to %d", flag, least, most)
	}
	for _, v := range values {
		if v < least || v > most {
			return fmt.Errorf("--%s is %d: want %d to %d", flag, v, least, most)
		}
	}
	return nil
}

func (f benchFlags) authz() *cobra.Command {
	b := bench.DefaultAuthz()
	cmd := &cobra.Command{
		Use:   "authz",
		Short: "Measure whole answers: who signed this request, and may they do it?",
		Long: `Measure whole answers at the doors of a sidecar: ` + strings.Join(bench.AuthzTargets, ", ") + `.
Each is kept busy first, and is then asked at fixed rates; the time of a question
counts from when it was due, so that a pause is charged for all who had to wait.
Access keys are chosen by a Zipf law; some are temporary, some requests are denied,
some signatures are wrong, and every answer is held against what it has to be.`,
		Example: `  doorward bench authz
  doorward bench authz --target socket,batch --keys 1000000 --seconds 10`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if b.For, err = f.step(); err != nil {
				return err
			}
			err = errors.Join(within("keys", 2, 5_000_000, b.Workload.Keys), within("statements", 1, 10_000, b.Workload.Statements...),
				within("requests", 256, 1<<20, b.Traffic.Requests), within("batch", 1, 1024, b.Batch))
			if err != nil {
				return err
			}
			b.Progress = f.progress()
			return f.measure(cmd, b)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&b.Targets, "target", b.Targets, "`DOORS` to ask at")
	flags.IntVar(&b.Workload.Keys, "keys", b.Workload.Keys, "`NUMBER` of access keys")
	flags.IntSliceVar(&b.Workload.Statements, "statements", b.Workload.Statements, "`NUMBERS` of statements that users hold, in turns")
	flags.IntVar(&b.Traffic.Requests, "requests", b.Traffic.Requests, "`NUMBER` of different requests")
	flags.Float64Var(&b.Traffic.Skew, "zipf", b.Traffic.Skew, "`EXPONENT` by which keys are chosen, above 1")
	flags.IntVar(&b.Batch, "batch", b.Batch, "`NUMBER` of requests in a frame")
	flags.Uint64Var(&b.Workload.Seed, "seed", b.Workload.Seed, "`SEED` of identities and requests")
	f.addSeconds(cmd, b.For)
	return cmd
}

func (f benchFlags) verify() *cobra.Command {
	b := bench.DefaultVerify()
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Measure what an answer costs beside the cryptography in it",
		Long: `Measure the processor time and the allocations of a verification and of a whole
answer, beside the SHA-256 and HMAC in it, in turns.`,
		Example: `  doorward bench verify
  doorward bench verify --rounds 51`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := within("rounds", 1, 10_000, b.Rounds); err != nil {
				return err
			}
			b.Progress = f.progress()
			return f.measure(cmd, b)
		},
	}
	cmd.Flags().IntVar(&b.Rounds, "rounds", b.Rounds, "`TURNS` of which the median counts")
	return cmd
}

func (f benchFlags) policy() *cobra.Command {
	b := bench.DefaultPolicy()
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Measure a decision against the number of statements",
		Long: `Measure a decision alone, without a signature, for principals that hold one statement
and up to a hundred thousand. Every answer is held against that of a plain reading of
the statements.`,
		Example: `  doorward bench policy
  doorward bench policy --statements 1,1000,10000 --output json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(within("rounds", 1, 10_000, b.Rounds), within("statements", 1, 1_000_000, b.Statements...)); err != nil {
				return err
			}
			b.Progress = f.progress()
			return f.measure(cmd, b)
		},
	}
	flags := cmd.Flags()
	flags.IntSliceVar(&b.Statements, "statements", b.Statements, "`NUMBERS` of statements")
	flags.Uint64Var(&b.Seed, "seed", b.Seed, "`SEED` of the questions")
	flags.IntVar(&b.Rounds, "rounds", b.Rounds, "`TURNS` of which the median counts")
	return cmd
}

func (f benchFlags) write() *cobra.Command {
	b := bench.DefaultWrite()
	cmd := &cobra.Command{
		Use:   "write",
		Short: "Measure acknowledged writes",
		Long: `Measure writes that were acknowledged, on the disks of a majority of three processes
on this machine: at the log, as nodes forward them, and at the IAM API, signed,
authorised and recorded in the audit log. With --endpoint, tag one user of that store,
which is deleted at the end.`,
		Example: `  doorward bench write
  doorward bench write --writers 16 --endpoint https://store-1:8470`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if b.For, err = f.step(); err != nil {
				return err
			}
			if b.Remote, err = f.remote(cmd); err != nil {
				return err
			}
			if b.Program, err = os.Executable(); err != nil {
				return err
			}
			if err := errors.Join(within("writers", 1, 4096, b.Writers...), within("nodes", 1, 5, b.Nodes)); err != nil {
				return err
			}
			b.Progress = f.progress()
			return f.measure(cmd, b)
		},
	}
	cmd.Flags().IntSliceVar(&b.Writers, "writers", b.Writers, "`NUMBERS` of writers at once")
	cmd.Flags().IntVar(&b.Nodes, "nodes", b.Nodes, "`NUMBER` of processes")
	f.addSeconds(cmd, b.For)
	return cmd
}

func (f benchFlags) sts() *cobra.Command {
	b := bench.DefaultSTS()
	cmd := &cobra.Command{
		Use:   "sts",
		Short: "Measure temporary credentials",
		Long: `Measure AssumeRole of a user for itself, at a store of three processes on this
machine. With --endpoint, at that store, as the caller; the sessions end by themselves
after a quarter of an hour.`,
		Example: `  doorward bench sts
  doorward bench sts --clients 16 --endpoint https://store-1:8470`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if b.For, err = f.step(); err != nil {
				return err
			}
			if b.Remote, err = f.remote(cmd); err != nil {
				return err
			}
			if b.Program, err = os.Executable(); err != nil {
				return err
			}
			if err := errors.Join(within("clients", 1, 4096, b.Clients...), within("nodes", 1, 5, b.Nodes)); err != nil {
				return err
			}
			b.Progress = f.progress()
			return f.measure(cmd, b)
		},
	}
	cmd.Flags().IntSliceVar(&b.Clients, "clients", b.Clients, "`NUMBERS` of clients at once")
	cmd.Flags().IntVar(&b.Nodes, "nodes", b.Nodes, "`NUMBER` of processes")
	f.addSeconds(cmd, b.For)
	return cmd
}

func (f benchFlags) failover() *cobra.Command {
	b := bench.DefaultFailover()
	cmd := &cobra.Command{
		Use:   "failover",
		Short: "Kill the leader again and again, and measure until writes go on",
		Long: `Kill the leader of three processes on this machine with SIGKILL, measure until a
write is acknowledged, bring the node back, and again. Meanwhile a sidecar is asked
all the time; one question that is not allowed fails the benchmark.`,
		Example: `  doorward bench failover
  doorward bench failover --kills 10`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if b.Program, err = os.Executable(); err != nil {
				return err
			}
			if err := within("kills", 1, 1000, b.Kills); err != nil {
				return err
			}
			b.Progress = f.progress()
			return f.measure(cmd, b)
		},
	}
	cmd.Flags().IntVar(&b.Kills, "kills", b.Kills, "`NUMBER` of kills")
	return cmd
}

func (f benchFlags) fleet() *cobra.Command {
	b := bench.DefaultFleet()
	cmd := &cobra.Command{
		Use:   "fleet",
		Short: "Measure a store with many sidecars",
		Long: `Measure how long a change takes to reach every sidecar of a store of three processes
on this machine, what a sidecar costs a node and the network, and how sidecars come
back when the leader is killed. The sidecars are connections of this process with real
frames, which keep no identities.`,
		Example: `  doorward bench fleet
  doorward bench fleet --sidecars 100,1000 --changes 200`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if b.Program, err = os.Executable(); err != nil {
				return err
			}
			if err := errors.Join(within("sidecars", 1, 50_000, b.Sidecars...), within("changes", 1, 100_000, b.Changes)); err != nil {
				return err
			}
			b.Progress = f.progress()
			return f.measure(cmd, b)
		},
	}
	cmd.Flags().IntSliceVar(&b.Sidecars, "sidecars", b.Sidecars, "`NUMBERS` of sidecars, growing")
	cmd.Flags().IntVar(&b.Changes, "changes", b.Changes, "`NUMBER` of changes that are followed")
	return cmd
}

func (f benchFlags) scale() *cobra.Command {
	b := bench.DefaultScale()
	cmd := &cobra.Command{
		Use:   "scale",
		Short: "Measure how memory, snapshots and starts grow with the number of identities",
		Long: `Measure the memory of a store's state and of a sidecar, collections of garbage,
snapshot, restore and start, for growing numbers of access keys, each with a user; of
the compiled policies of one user who holds more and more statements; and of temporary
credentials that are issued and end. A million keys take some 4 GiB.`,
		Example: `  doorward bench scale
  doorward bench scale --keys 10000,100000 --sessions 0`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := errors.Join(within("keys", 100, 5_000_000, b.Keys...), within("policies", 1, 100_000, b.Policies),
				within("statements", 1, 1_000_000, b.Statements...), within("sessions", 0, 100_000_000, b.Sessions), within("lasting", 1000, 5_000_000, b.Lasting))
			if err != nil {
				return err
			}
			b.Progress = f.progress()
			return f.measure(cmd, b)
		},
	}
	flags := cmd.Flags()
	flags.IntSliceVar(&b.Keys, "keys", b.Keys, "`NUMBERS` of access keys")
	flags.IntVar(&b.Policies, "policies", b.Policies, "`NUMBER` of managed policies")
	flags.IntSliceVar(&b.Statements, "statements", b.Statements, "`NUMBERS` of statements that one user holds")
	flags.IntVar(&b.Sessions, "sessions", b.Sessions, "`NUMBER` of temporary credentials to issue over time; 0: none")
	flags.IntVar(&b.Lasting, "lasting", b.Lasting, "`NUMBER` of them that are not over at a time")
	return cmd
}

func newBenchShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show FILE...",
		Short: "Show reports of one run together",
		Long: `Show reports that were written with --output json and share a run (--run). Reports of
different runs are refused: their figures cannot be compared.`,
		Example: `  doorward bench show authz.json write.json`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var reports []*report.Report
			for _, name := range args {
				text, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				r := &report.Report{}
				if err := json.Unmarshal(text, r); err != nil {
					return fmt.Errorf("%s is no report of a benchmark: %w", name, err)
				}
				reports = append(reports, r)
			}
			all, err := report.Join(reports...)
			if err != nil {
				return withHint(err, "Make both in one run: give them the same --run, on one machine, with one build.")
			}
			return a.show(all)
		},
	}
}
