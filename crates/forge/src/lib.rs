//! Pull requests, commit statuses and App tokens of GitHub, GitLab and Gitea.
