package cluster

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/doorward/doorward/cluster/gossip"
	"github.com/doorward/doorward/iam"
)

// The names of a node's metrics, each with its meaning. All are read when they are
// asked for.
var (
	metricLeader    = metric("leader", "1 while this node leads.")
	metricHasLeader = metric("has_leader", "1 while this node knows of a leader.")
	metricTerm      = metric("term", "Term of the log.")
	metricIndex     = metric("index", "Log index of the last command in effect on this node.")
	metricCommitted = metric("committed_index", "Log index up to which this node knows that entries are committed.")
	metricLast      = metric("last_index", "Log index of the last entry on this node's disk.")
	metricContact   = metric("leader_contact_seconds", "Time since the leader was last heard; 0 on the leader.")
	metricDisk      = metric("disk_write_seconds", "Time that a write to the log takes, a moving average.")
	metricFree      = metric("disk_free_bytes", "Room on the disk of the data directory.")
	metricMembers   = metric("members", "Nodes of the store, by whether they vote.", "voter")
	metricGossip    = metric("gossip_members", "Nodes of the store, this one among them, by what the gossip has about them; none while there is no gossip.", "state")
	metricLevel     = metric("feature_level", "Feature level of the store.")
	metricHealthy   = metric("healthy", "1 while this node is fit for service.")
	metricSidecars  = metric("sidecars", "Sidecars that follow this node.")
	metricRecords   = metric("records", "Records of the store, by table.", "table")
	metricCert      = metric("certificate_expiry_timestamp_seconds", "End of this node's certificate.")

	metricTables = map[iam.Table]string{
		iam.TableUsers: "users", iam.TableGroups: "groups", iam.TableRoles: "roles", iam.TablePolicies: "policies",
		iam.TableAccessKeys: "access_keys", iam.TableServiceAccounts: "service_accounts", iam.TableSessions: "sessions",
		iam.TableBuckets: "buckets", iam.TableEnrolments: "enrolments",
	}
)

func metric(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("doorward_node_"+name, help, labels, nil)
}

var _ prometheus.Collector = (*Node)(nil)

// Describe implements prometheus.Collector.
func (n *Node) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(n, out) }

// Collect implements prometheus.Collector.
func (n *Node) Collect(out chan<- prometheus.Metric) {
	gauge := func(of *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(of, prometheus.GaugeValue, value, labels...)
	}
	s, v := n.raft.Status(), n.View()
	gauge(metricLeader, bit(s.Leader == s.ID))
	gauge(metricHasLeader, bit(s.Leader != ""))
	gauge(metricTerm, float64(s.Term))
	gauge(metricIndex, float64(s.Applied))
	gauge(metricCommitted, float64(s.Committed))
	gauge(metricLast, float64(s.Last))
	gauge(metricContact, s.LastContact.Seconds())
	gauge(metricDisk, s.Disk.Seconds())
	gauge(metricFree, float64(s.Free))
	voters := 0
	for _, m := range s.Members {
		voters += int(bit(m.Voter))
	}
	gauge(metricMembers, float64(voters), "yes")
	gauge(metricMembers, float64(len(s.Members)-voters), "no")
	gossiped := make(map[gossip.State]int)
	for _, state := range n.Heard() {
		gossiped[state]++
	}
	for _, state := range []gossip.State{gossip.Alive, gossip.Suspect, gossip.Left, gossip.Dead} {
		gauge(metricGossip, float64(gossiped[state]), string(state))
	}
	gauge(metricLevel, float64(v.Level()))
	gauge(metricHealthy, bit(n.Trouble() == ""))
	gauge(metricSidecars, float64(len(n.feed.Followers())))
	for table, name := range metricTables {
		gauge(metricRecords, float64(v.Len(table)), name)
	}
	if n.cfg.TLS != nil {
		if _, _, until, err := n.cfg.TLS.Identity(); err == nil {
			gauge(metricCert, float64(until.Unix()))
		}
	}
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
