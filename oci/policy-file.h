/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_POLICY_FILE_H
#define IDM_OCI_POLICY_FILE_H

#include "policy.h"
#include "oci.h"

/*
 * policy stays NULL if the file does not exist. Rejects a file that others than root own or may write.
 */
int read_policy(struct idm_policy **policy, struct idm_error *err);

/*
 * Checks that root's rules allow the maps that annotations ask for. Reads the file only if one asks.
 * With a rootless engine the rules are for pods alone: idm_oci_judge_ids() limits other containers.
 */
int judge_annotations(const struct idm_oci *oci, struct idm_error *err);

#endif
