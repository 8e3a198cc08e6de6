/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_POLICY_FILE_H
#define IDM_OCI_POLICY_FILE_H

#include "policy.h"
#include "oci.h"

/* *policy stays NULL where there is no file. A file that root does not keep to itself is refused. */
int read_policy(struct idm_policy **policy, struct idm_error *err);

/* Whether root's rules allow what annotations ask for; the file is read only if one asks. */
int judge_annotations(const struct idm_oci *oci, struct idm_error *err);

#endif
