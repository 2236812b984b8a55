// Package story plays what Doorward is for, with a real AWS SDK against a real
// S3 server: users, policies, allowed and refused requests, temporary
// credentials. Each step says beforehand how it must end; [Play] tells the steps
// that ended otherwise.
package story
