#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""check-manifest.py FILE...: checks that manifests match the API of Kubernetes.

The models of python3-kubernetes were generated from the OpenAPI description of that API. Every property of a
manifest has to be in its model, and of the right type. No required property may be missing.
"""
import re
import sys

import yaml
from kubernetes import client

SIMPLE = {"str": str, "bool": bool, "int": int, "float": (int, float), "object": object}
KINDS = {
    ("v1", "Pod"): "V1Pod",
    ("apps/v1", "DaemonSet"): "V1DaemonSet",
    ("node.k8s.io/v1", "RuntimeClass"): "V1RuntimeClass",
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"): "V1ValidatingAdmissionPolicy",
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"): "V1ValidatingAdmissionPolicyBinding",
}


class Wrong(Exception):
    pass


def check_object(where, value, model):
    if not isinstance(value, dict):
        raise Wrong(f"{where}: an object is wanted")
    names = {key: name for name, key in model.attribute_map.items()}
    read = {}
    for key, part in value.items():
        if key not in names:
            raise Wrong(f"{where}.{key}: unknown")
        check(f"{where}.{key}", part, model.openapi_types[names[key]])
        read[names[key]] = part
    try:
        model(**read)
    except ValueError as error:
        raise Wrong(f"{where}: {error}") from error


def check(where, value, kind):
    if of := re.fullmatch(r"list\[(.*)\]", kind):
        if not isinstance(value, list):
            raise Wrong(f"{where}: a list is wanted")
        for i, part in enumerate(value):
            check(f"{where}[{i}]", part, of[1])
    elif of := re.fullmatch(r"dict\(str, (.*)\)", kind):
        if not isinstance(value, dict):
            raise Wrong(f"{where}: an object is wanted")
        for key, part in value.items():
            check(f"{where}[{key}]", part, of[1])
    elif kind in SIMPLE:
        if not isinstance(value, SIMPLE[kind]) or (kind == "int" and isinstance(value, bool)):
            raise Wrong(f"{where}: {kind} is wanted")
    else:
        check_object(where, value, getattr(client, kind))


def check_document(document):
    model = KINDS.get((document.get("apiVersion"), document.get("kind")))
    if not model or not hasattr(client, model):
        raise Wrong("unknown apiVersion and kind")
    check_object(document["kind"], document, getattr(client, model))


def main():
    for file in sys.argv[1:]:
        with open(file, encoding="utf-8") as text:
            documents = list(yaml.safe_load_all(text))
        for document in documents:
            try:
                check_document(document)
            except Wrong as wrong:
                print(f"{file}: {wrong}")
                return 1
            print(f"{file}: {document['kind']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
