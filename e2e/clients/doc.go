// Package clients drives the real command-line clients and libraries that people
// use with S3 (awscli, boto3, s3cmd, rclone, restic), each as a separate process, and
// gives all of them one shape so that one table of cases serves all.
package clients
