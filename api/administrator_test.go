package api

import "testing"

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
