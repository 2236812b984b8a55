package api

import (
	"slices"
	"sync"
	"testing"
)

const administrator = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

func TestTheLastAdministratorCannotRemoveOrDemoteItself(t *testing.T) {
	type attempt struct {
		name string
		make func(w *world, alice credentials) answer
	}
	attempts := []attempt{
		{"delete itself", func(w *world, alice credentials) answer {
			return w.json(alice, "DELETE", "/v1/users/alice?cascade=true", "")
		}},
		{"take its policy away", func(w *world, alice credentials) answer {
			return w.call(alice, "DeleteUserPolicy", "UserName", "alice", "PolicyName", "p0")
		}},
		{"narrow its policy", func(w *world, alice credentials) answer {
			return w.call(alice, "PutUserPolicy", "UserName", "alice", "PolicyName", "p0", "PolicyDocument",
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
		}},
		{"deny itself", func(w *world, alice credentials) answer {
			return w.call(alice, "PutUserPolicy", "UserName", "alice", "PolicyName", "deny", "PolicyDocument",
				`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:CreateUser","Resource":"*"}]}`)
		}},
		{"bound itself", func(w *world, alice credentials) answer {
			return w.call(alice, "PutUserPermissionsBoundary", "UserName", "alice", "PermissionsBoundary", "arn:aws:iam::000000000000:policy/readonly")
		}},
		{"delete its last key", func(w *world, alice credentials) answer {
			return w.call(alice, "DeleteAccessKey", "UserName", "alice", "AccessKeyId", alice.id)
		}},
		{"disable its last key", func(w *world, alice credentials) answer {
			return w.call(alice, "UpdateAccessKey", "UserName", "alice", "AccessKeyId", alice.id, "Status", "Inactive")
		}},
		{"disable itself", func(w *world, alice credentials) answer {
			return w.json(alice, "PATCH", "/v1/users/alice", `{"status":"Inactive"}`)
		}},
	}
	for _, a := range attempts {
		t.Run(a.name, func(t *testing.T) {
			w := newWorld(t)
			alice := w.user("alice", administrator)
			w.user("bob", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
			index := w.store.View().Index()
			w.want(a.make(w, alice), 400, "UnmodifiableEntity")
			if got := w.store.View().Index(); got != index {
				t.Error("something was changed")
			}
			// With another administrator it may, once.
			w.user("carol", administrator)
			w.want(a.make(w, alice), 200, "")
		})
	}
}

func TestOthersMayBeDemotedAndTheRootMayDoAnything(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.user("alice", administrator), w.user("bob", administrator)
	w.must(alice, "DeleteUserPolicy", "UserName", "bob", "PolicyName", "p0")
	w.want(w.call(bob, "ListUsers"), 403, "AccessDenied")
	w.must(w.root, "DeleteUserPolicy", "UserName", "alice", "PolicyName", "p0")
	// A member of a group who takes its policy away takes it from itself.
	w.must(w.root, "CreateGroup", "GroupName", "admins")
	w.must(w.root, "PutGroupPolicy", "GroupName", "admins", "PolicyName", "all", "PolicyDocument", administrator)
	w.must(w.root, "AddUserToGroup", "GroupName", "admins", "UserName", "alice")
	w.want(w.call(alice, "DeleteGroupPolicy", "GroupName", "admins", "PolicyName", "all"), 400, "UnmodifiableEntity")
	w.want(w.call(alice, "RemoveUserFromGroup", "GroupName", "admins", "UserName", "alice"), 400, "UnmodifiableEntity")
	w.must(w.root, "AddUserToGroup", "GroupName", "admins", "UserName", "bob")
	w.must(alice, "RemoveUserFromGroup", "GroupName", "admins", "UserName", "alice")
}

// TestAdministratorsWhoDemoteThemselvesAtTheSameMomentLeaveOne holds both commands
// back until both calls have looked at the store and found that the other stays.
func TestAdministratorsWhoDemoteThemselvesAtTheSameMomentLeaveOne(t *testing.T) {
	demotions := map[string]func(*world, credentials, string) answer{
		"by policy": func(w *world, c credentials, name string) answer {
			return w.call(c, "DeleteUserPolicy", "UserName", name, "PolicyName", "p0")
		},
		"by group": func(w *world, c credentials, name string) answer {
			return w.call(c, "RemoveUserFromGroup", "GroupName", "admins", "UserName", name)
		},
		"by key": func(w *world, c credentials, name string) answer {
			return w.call(c, "DeleteAccessKey", "UserName", name, "AccessKeyId", c.id)
		},
		"by deletion": func(w *world, c credentials, name string) answer {
			return w.json(c, "DELETE", "/v1/users/"+name+"?cascade=true", "")
		},
	}
	for how, demote := range demotions {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t)
			names := []string{"alice", "bob"}
			keys := make([]credentials, len(names))
			w.must(w.root, "CreateGroup", "GroupName", "admins")
			w.must(w.root, "PutGroupPolicy", "GroupName", "admins", "PolicyName", "all", "PolicyDocument", administrator)
			for i, name := range names {
				var own []string
				if how == "by policy" {
					own = []string{administrator}
				}
				if keys[i] = w.user(name, own...); own == nil {
					w.must(w.root, "AddUserToGroup", "GroupName", "admins", "UserName", name)
				}
			}
			var looked sync.WaitGroup
			looked.Add(len(names))
			first := make(chan struct{}, len(names))
			for range names {
				first <- struct{}{}
			}
			w.store.gate = func() {
				select {
				case <-first:
					looked.Done()
					looked.Wait()
				default: // another look
				}
			}
			statuses := make([]int, len(names))
			var calls sync.WaitGroup
			for i, name := range names {
				calls.Go(func() { statuses[i] = demote(w, keys[i], name).status })
			}
			calls.Wait()
			if slices.Sort(statuses); !slices.Equal(statuses, []int{200, 400}) {
				t.Errorf("the calls were answered with %v, want one 200 and one 400", statuses)
			}
			left := 0
			for _, key := range keys {
				if w.call(key, "ListUsers").status == 200 {
					left++
				}
			}
			if left != 1 {
				t.Errorf("%d administrators are left, want 1", left)
			}
		})
	}
}
