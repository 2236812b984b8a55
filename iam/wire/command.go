package wire

import (
	"fmt"
	"reflect"

	"github.com/doorward/doorward/iam"
)

// kind is how one command is written.
type kind struct {
	number  uint16
	version uint16
	level   uint16                     // the feature level that knows it
	code    func(*codec, *iam.Command) // reads or writes *iam.Command, which holds the command by value
}

// kinds are all commands. The numbers are part of the log format: they are never
// used for anything else, also when a command is gone.
var kinds = []struct {
	of iam.Command
	kind
}{
	{iam.Initialize{}, kind{1, 1, 1, as((*codec).initialize)}},
	{iam.CreateUser{}, kind{2, 1, 1, as((*codec).createUser)}},
	{iam.UpdateUser{}, kind{3, 1, 1, as((*codec).updateUser)}},
	{iam.DeleteUser{}, kind{4, 1, 1, as((*codec).deleteUser)}},
	{iam.CreateGroup{}, kind{5, 1, 1, as((*codec).createGroup)}},
	{iam.UpdateGroup{}, kind{6, 1, 1, as((*codec).updateGroup)}},
	{iam.DeleteGroup{}, kind{7, 1, 1, as((*codec).deleteGroup)}},
	{iam.AddUserToGroup{}, kind{8, 1, 1, as((*codec).addUserToGroup)}},
	{iam.RemoveUserFromGroup{}, kind{9, 1, 1, as((*codec).removeUserFromGroup)}},
	{iam.CreateRole{}, kind{10, 1, 1, as((*codec).createRole)}},
	{iam.UpdateRole{}, kind{11, 1, 1, as((*codec).updateRole)}},
	{iam.DeleteRole{}, kind{12, 1, 1, as((*codec).deleteRole)}},
	{iam.CreatePolicy{}, kind{13, 1, 1, as((*codec).createPolicy)}},
	{iam.DeletePolicy{}, kind{14, 1, 1, as((*codec).deletePolicy)}},
	{iam.CreatePolicyVersion{}, kind{15, 1, 1, as((*codec).createPolicyVersion)}},
	{iam.DeletePolicyVersion{}, kind{16, 1, 1, as((*codec).deletePolicyVersion)}},
	{iam.SetDefaultPolicyVersion{}, kind{17, 1, 1, as((*codec).setDefaultPolicyVersion)}},
	{iam.AttachPolicy{}, kind{18, 1, 1, as((*codec).attachPolicy)}},
	{iam.DetachPolicy{}, kind{19, 1, 1, as((*codec).detachPolicy)}},
	{iam.PutInlinePolicy{}, kind{20, 1, 1, as((*codec).putInlinePolicy)}},
	{iam.DeleteInlinePolicy{}, kind{21, 1, 1, as((*codec).deleteInlinePolicy)}},
	{iam.SetBoundary{}, kind{22, 1, 1, as((*codec).setBoundary)}},
	{iam.SetTags{}, kind{23, 1, 1, as((*codec).setTags)}},
	{iam.CreateAccessKey{}, kind{24, 1, 1, as((*codec).createAccessKey)}},
	{iam.UpdateAccessKey{}, kind{25, 1, 1, as((*codec).updateAccessKey)}},
	{iam.DeleteAccessKey{}, kind{26, 1, 1, as((*codec).deleteAccessKey)}},
	{iam.RecordLastUsed{}, kind{27, 1, 1, as((*codec).recordLastUsed)}},
	{iam.CreateServiceAccount{}, kind{28, 1, 1, as((*codec).createServiceAccount)}},
	{iam.UpdateServiceAccount{}, kind{29, 1, 1, as((*codec).updateServiceAccount)}},
	{iam.DeleteServiceAccount{}, kind{30, 1, 1, as((*codec).deleteServiceAccount)}},
	{iam.CreateSession{}, kind{31, 1, 1, as((*codec).createSession)}},
	{iam.RevokeSessions{}, kind{32, 1, 1, as((*codec).revokeSessions)}},
	{iam.ExpireSessions{}, kind{33, 1, 1, as((*codec).expireSessions)}},
	{iam.PutBucket{}, kind{34, 1, 1, as((*codec).putBucket)}},
	{iam.DeleteBucket{}, kind{35, 1, 1, as((*codec).deleteBucket)}},
	{iam.PutSettings{}, kind{36, 1, 1, as((*codec).putSettings)}},
	{iam.CreateProvider{}, kind{37, 1, 1, as((*codec).createProvider)}},
	{iam.UpdateProvider{}, kind{38, 1, 1, as((*codec).updateProvider)}},
	{iam.DeleteProvider{}, kind{39, 1, 1, as((*codec).deleteProvider)}},
	{iam.SetAccountAlias{}, kind{40, 1, 1, as((*codec).setAccountAlias)}},
	{iam.PutAuthority{}, kind{41, 1, 2, as((*codec).putAuthority)}},
	{iam.DeleteAuthority{}, kind{42, 1, 2, as((*codec).deleteAuthority)}},
	{iam.CreateEnrolment{}, kind{43, 1, 2, as((*codec).createEnrolment)}},
	{iam.TakeEnrolment{}, kind{44, 1, 2, as((*codec).takeEnrolment)}},
	{iam.DeleteEnrolment{}, kind{45, 1, 2, as((*codec).deleteEnrolment)}},
	{iam.RaiseLevel{}, kind{46, 1, 2, as((*codec).raiseLevel)}},
	{iam.Batch{}, kind{47, 1, 2, as((*codec).batch)}},
	{iam.Reseal{}, kind{48, 1, 2, as((*codec).reseal)}},
	{iam.Guarded{}, kind{49, 1, 3, as((*codec).guarded)}},
	{iam.PutGossip{}, kind{50, 1, 3, as((*codec).putGossip)}},
	{iam.StageAuthority{}, kind{51, 1, 3, as((*codec).stageAuthority)}},
	{iam.UseAuthority{}, kind{52, 1, 3, as((*codec).useAuthority)}},
}

var (
	kindByType   = map[reflect.Type]kind{}
	kindByNumber = map[uint16]kind{}
)

func init() {
	for _, k := range kinds {
		if _, twice := kindByNumber[k.number]; twice {
			panic(fmt.Sprintf("wire: kind %d is given twice", k.number))
		}
		kindByType[reflect.TypeOf(k.of)] = k.kind
		kindByNumber[k.number] = k.kind
	}
}

// LevelOf returns the feature level that a store has to be at before a command may
// be proposed; zero for a command that has no kind.
func LevelOf(c iam.Command) uint16 { return kindByType[reflect.TypeOf(c)].level }

// as makes the function of one command fit for all.
func as[T iam.Command](body func(*codec, *T)) func(*codec, *iam.Command) {
	return func(c *codec, command *iam.Command) {
		var v T
		if c.writing {
			v = (*command).(T)
			body(c, &v)
			return
		}
		body(c, &v)
		*command = v
	}
}

func (c *codec) initialize(v *iam.Initialize) {
	c.record(6, func() {
		text(c, &v.ClusterID)
		number(c, &v.Epoch)
		text(c, &v.Account)
		c.accessKey(&v.RootKey)
		list(c, &v.Policies, c.policy)
		c.settings(&v.Settings)
	})
}

func (c *codec) createUser(v *iam.CreateUser) {
	c.record(2, func() {
		c.user(&v.User)
		optional(c, &v.Password, c.accessKey)
	})
}

func (c *codec) updateUser(v *iam.UpdateUser) {
	c.record(7, func() {
		c.ref(&v.User)
		text(c, &v.NewName)
		c.secret(&v.Password)
		text(c, &v.NewPath)
		number(c, &v.Status)
		c.flag(&v.SetPOSIX)
		optional(c, &v.POSIX, c.posix)
	})
}

func (c *codec) deleteUser(v *iam.DeleteUser) {
	c.record(2, func() {
		c.ref(&v.User)
		c.flag(&v.Cascade)
	})
}

func (c *codec) createGroup(v *iam.CreateGroup) {
	c.record(1, func() { c.group(&v.Group) })
}

func (c *codec) updateGroup(v *iam.UpdateGroup) {
	c.record(3, func() {
		c.ref(&v.Group)
		text(c, &v.NewName)
		text(c, &v.NewPath)
	})
}

func (c *codec) deleteGroup(v *iam.DeleteGroup) {
	c.record(1, func() { c.ref(&v.Group) })
}

func (c *codec) addUserToGroup(v *iam.AddUserToGroup) {
	c.record(2, func() {
		c.ref(&v.User)
		c.ref(&v.Group)
	})
}

func (c *codec) removeUserFromGroup(v *iam.RemoveUserFromGroup) {
	c.record(2, func() {
		c.ref(&v.User)
		c.ref(&v.Group)
	})
}

func (c *codec) createRole(v *iam.CreateRole) {
	c.record(1, func() { c.role(&v.Role) })
}

func (c *codec) updateRole(v *iam.UpdateRole) {
	c.record(5, func() {
		c.ref(&v.Role)
		c.flag(&v.SetDescription)
		text(c, &v.Description)
		number(c, &v.MaxSession)
		text(c, &v.Trust)
	})
}

func (c *codec) deleteRole(v *iam.DeleteRole) {
	c.record(1, func() { c.ref(&v.Role) })
}

func (c *codec) createPolicy(v *iam.CreatePolicy) {
	c.record(1, func() { c.policy(&v.Policy) })
}

func (c *codec) deletePolicy(v *iam.DeletePolicy) {
	c.record(1, func() { text(c, &v.Policy) })
}

func (c *codec) createPolicyVersion(v *iam.CreatePolicyVersion) {
	c.record(4, func() {
		text(c, &v.Policy)
		text(c, &v.Document)
		c.flag(&v.MakeDefault)
		c.time(&v.Created)
	})
}

func (c *codec) deletePolicyVersion(v *iam.DeletePolicyVersion) {
	c.record(2, func() {
		text(c, &v.Policy)
		number(c, &v.Number)
	})
}

func (c *codec) setDefaultPolicyVersion(v *iam.SetDefaultPolicyVersion) {
	c.record(2, func() {
		text(c, &v.Policy)
		number(c, &v.Number)
	})
}

func (c *codec) attachPolicy(v *iam.AttachPolicy) {
	c.record(2, func() {
		c.ref(&v.To)
		text(c, &v.Policy)
	})
}

func (c *codec) detachPolicy(v *iam.DetachPolicy) {
	c.record(2, func() {
		c.ref(&v.From)
		text(c, &v.Policy)
	})
}

func (c *codec) putInlinePolicy(v *iam.PutInlinePolicy) {
	c.record(2, func() {
		c.ref(&v.On)
		c.inlinePolicy(&v.Policy)
	})
}

func (c *codec) deleteInlinePolicy(v *iam.DeleteInlinePolicy) {
	c.record(2, func() {
		c.ref(&v.On)
		text(c, &v.Name)
	})
}

func (c *codec) setBoundary(v *iam.SetBoundary) {
	c.record(2, func() {
		c.ref(&v.On)
		text(c, &v.Policy)
	})
}

func (c *codec) setTags(v *iam.SetTags) {
	c.record(3, func() {
		c.ref(&v.On)
		c.tags(&v.Set)
		texts(c, &v.Remove)
	})
}

func (c *codec) createAccessKey(v *iam.CreateAccessKey) {
	c.record(1, func() { c.accessKey(&v.Key) })
}

func (c *codec) updateAccessKey(v *iam.UpdateAccessKey) {
	c.record(6, func() {
		c.ref(&v.Owner)
		text(c, &v.Key)
		number(c, &v.Status)
		c.flag(&v.SetExpires)
		c.time(&v.Expires)
		c.secret(&v.Secret)
	})
}

func (c *codec) deleteAccessKey(v *iam.DeleteAccessKey) {
	c.record(2, func() {
		c.ref(&v.Owner)
		text(c, &v.Key)
	})
}

func (c *codec) use(u *iam.Use) {
	c.record(2, func() {
		text(c, &u.Key)
		c.time(&u.Time)
	})
}

func (c *codec) recordLastUsed(v *iam.RecordLastUsed) {
	c.record(1, func() { list(c, &v.Uses, c.use) })
}

func (c *codec) createServiceAccount(v *iam.CreateServiceAccount) {
	c.record(2, func() {
		c.serviceAccount(&v.ServiceAccount)
		c.accessKey(&v.Key)
	})
}

func (c *codec) updateServiceAccount(v *iam.UpdateServiceAccount) {
	c.record(9, func() {
		c.ref(&v.ServiceAccount)
		c.flag(&v.SetDescription)
		text(c, &v.Description)
		c.flag(&v.SetPolicy)
		text(c, &v.Policy)
		number(c, &v.Status)
		c.flag(&v.SetExpires)
		c.time(&v.Expires)
		c.secret(&v.Secret)
	})
}

func (c *codec) deleteServiceAccount(v *iam.DeleteServiceAccount) {
	c.record(1, func() { c.ref(&v.ServiceAccount) })
}

func (c *codec) createSession(v *iam.CreateSession) {
	c.record(1, func() { c.session(&v.Session) })
}

func (c *codec) revokeSessions(v *iam.RevokeSessions) {
	c.record(3, func() {
		text(c, &v.Key)
		c.ref(&v.Parent)
		c.time(&v.IssuedBefore)
	})
}

func (c *codec) expireSessions(v *iam.ExpireSessions) {
	c.record(2, func() {
		c.time(&v.Cutoff)
		number(c, &v.Max)
	})
}

func (c *codec) putBucket(v *iam.PutBucket) {
	c.record(1, func() { c.bucket(&v.Bucket) })
}

func (c *codec) deleteBucket(v *iam.DeleteBucket) {
	c.record(1, func() { text(c, &v.Name) })
}

func (c *codec) putSettings(v *iam.PutSettings) {
	c.record(1, func() { c.settings(&v.Settings) })
}

func (c *codec) createProvider(v *iam.CreateProvider) {
	c.record(1, func() { c.provider(&v.Provider) })
}

func (c *codec) updateProvider(v *iam.UpdateProvider) {
	c.record(5, func() {
		c.ref(&v.Provider)
		text(c, &v.AddClient)
		text(c, &v.RemoveClient)
		c.flag(&v.SetThumbprints)
		texts(c, &v.Thumbprints)
	})
}

func (c *codec) deleteProvider(v *iam.DeleteProvider) {
	c.record(1, func() { c.ref(&v.Provider) })
}

func (c *codec) setAccountAlias(v *iam.SetAccountAlias) {
	c.record(2, func() {
		text(c, &v.Account)
		text(c, &v.Alias)
	})
}

func (c *codec) putAuthority(v *iam.PutAuthority) {
	c.record(1, func() { c.authority(&v.Authority) })
}

func (c *codec) deleteAuthority(v *iam.DeleteAuthority) {
	c.record(1, func() { text(c, &v.Fingerprint) })
}

func (c *codec) createEnrolment(v *iam.CreateEnrolment) {
	c.record(1, func() { c.enrolment(&v.Enrolment) })
}

func (c *codec) takeEnrolment(v *iam.TakeEnrolment) {
	c.record(4, func() {
		text(c, &v.ID)
		c.bytes(&v.Hash)
		text(c, &v.Name)
		c.bytes(&v.Key)
	})
}

func (c *codec) deleteEnrolment(v *iam.DeleteEnrolment) {
	c.record(1, func() { text(c, &v.ID) })
}

func (c *codec) raiseLevel(v *iam.RaiseLevel) {
	c.record(1, func() { number(c, &v.Level) })
}

func (c *codec) batch(v *iam.Batch) {
	c.record(1, func() { list(c, &v.Commands, func(m *iam.Command) { c.member(m, 1) }) })
}

func (c *codec) guarded(v *iam.Guarded) {
	c.record(2, func() {
		list(c, &v.Parts, c.part)
		c.member(&v.Command, 2)
		if v.Command == nil {
			c.fail("a guarded command is missing")
		}
	})
}

func (c *codec) part(p *iam.Part) {
	c.record(3, func() {
		number(c, &p.Bucket)
		number(c, &p.Sum[0])
		number(c, &p.Sum[1])
	})
}

func (c *codec) putGossip(v *iam.PutGossip) {
	c.record(2, func() {
		c.gossip(&v.Was)
		c.gossip(&v.Now)
	})
}

func (c *codec) stageAuthority(v *iam.StageAuthority) {
	c.record(1, func() { c.authority(&v.Authority) })
}

func (c *codec) useAuthority(v *iam.UseAuthority) {
	c.record(1, func() { text(c, &v.Fingerprint) })
}

// member is a command in another: its kind, and itself. Its level may be most, which
// is below that of the other: nothing else would stop a node that does not know it.
func (c *codec) member(v *iam.Command, most uint16) {
	c.record(2, func() {
		var n uint16
		if c.writing {
			n = kindByType[reflect.TypeOf(*v)].number
		}
		number(c, &n)
		k, known := kindByNumber[n]
		if !known || k.level > most || n == kindByType[reflect.TypeFor[iam.Initialize]()].number {
			c.fail("a command of kind %d may not be in another", n)
			return
		}
		k.code(c, v)
	})
}

func (c *codec) reseal(v *iam.Reseal) {
	c.record(1, func() { list(c, &v.Secrets, c.resealed) })
}

func (c *codec) resealed(r *iam.Resealed) {
	c.record(4, func() {
		number(c, &r.Table)
		text(c, &r.Name)
		c.secret(&r.Was)
		c.secret(&r.Now)
	})
}
