/* profile.h - the shared credentials and config files, for use on a developer's machine: the keys
 * aws_access_key_id, aws_secret_access_key and aws_session_token of one profile. Other ways to log
 * in that these files can describe (SSO, roles, processes) are not supported.
 * Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files". */
#ifndef COMMON_AWS_PROFILE_H
#define COMMON_AWS_PROFILE_H

#include "common/aws/credentials.h"

/* Finds the profile in the text of a file. In the config file sections are called "profile NAME"
 * but for "default"; `config` says that it is one. False when the profile is absent or has no
 * keys; never an error: lines that are no INI are passed over, as the AWS CLI does. Pure. */
bool profile_find(struct slice file, bool config, struct slice profile,
                  struct credentials *ret) MUST_USE;

/* Reads both files, credentials first. Errors: ERR_CREDENTIALS_ABSENT: neither has the profile, or
 * one is larger than 64 KiB. */
bool profile_read(const struct credentials_settings *settings, struct arena *arena,
                  struct credentials *ret, struct err *err) MUST_USE;

#endif
