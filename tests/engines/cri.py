#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs a command as user 1000 in a pod that follows the "restricted" standard, and prints its output.

cri.py SOCKET PROTO-DIRECTORY IMAGE CGROUP NAMESPACE VOLUME COMMAND [KEY=VALUE]...

VOLUME of the node is at /data; KEY=VALUE are the pod's annotations. In the environment:
  POD        the pod's name
  READ_ONLY  makes the volume read-only
  USER_ID    another user
  USERNS     the pod has the user namespace 0:100000:65536, and a network namespace; with "mappings" the volume has that
             map, as by the kubelet
  KEEP       starts the pod, prints its ID and that of its container, and leaves it
  STARTED    what a run with KEEP has printed: runs the command there, and removes the pod"""
import os
import sys

import grpc

socket, protos, image, cgroup, namespace, volume, command = sys.argv[1:8]
sys.path.insert(0, protos)
import cri_pb2 as cri  # noqa: E402

pod_name = os.environ.get("POD", "pod")
user = cri.Int64Value(value=int(os.environ.get("USER_ID", "1000")))
annotations = dict(pair.split("=", 1) for pair in sys.argv[8:])
channel = grpc.insecure_channel("unix://" + socket)


def call(name, request, answer=cri.Empty):
    method = channel.unary_unary(
        "/runtime.v1.RuntimeService/" + name,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=answer.FromString,
    )
    return method(request, timeout=120)


userns = os.environ.get("USERNS")
rows = [cri.IDMapping(host_id=100000, container_id=0, length=65536)]
if userns:
    namespaces = cri.NamespaceOption(pid=1, userns_options=cri.UserNamespace(uids=rows, gids=rows))
else:
    # The pod shares the node's network, so no network has to be set up.
    namespaces = cri.NamespaceOption(network=2, pid=1)
volume_mount = cri.Mount(container_path="/data", host_path=volume, readonly=bool(os.environ.get("READ_ONLY")))
if userns == "mappings":
    volume_mount.uidMappings.extend(rows)
    volume_mount.gidMappings.extend(rows)
sandbox = cri.Sandbox(
    metadata=cri.PodMetadata(name=pod_name, uid=pod_name, namespace=namespace),
    annotations=annotations,
    linux=cri.LinuxSandbox(
        cgroup_parent=cgroup,
        security_context=cri.SandboxSecurity(namespace_options=namespaces),
    ),
)
container = cri.Container(
    metadata=cri.ContainerMetadata(name="box"),
    image=cri.ImageSpec(image=image),
    command=["sleep", "1000"],
    mounts=[volume_mount],
    linux=cri.LinuxContainer(
        security_context=cri.ContainerSecurity(
            capabilities=cri.Capability(drop_capabilities=["ALL"]),
            namespace_options=namespaces,
            run_as_user=user,
            run_as_group=user,
            no_new_privs=True,
        )
    ),
)


def start_container(pod):
    made = call(
        "CreateContainer",
        cri.CreateContainer(pod_sandbox_id=pod.pod_sandbox_id, config=container, sandbox_config=sandbox),
        cri.ContainerID,
    )
    call("StartContainer", made)
    return made


def run_command(made):
    done = call(
        "ExecSync",
        cri.Exec(container_id=made.container_id, cmd=["sh", "-c", command], timeout=60),
        cri.ExecResult,
    )
    sys.stdout.write((done.stdout + done.stderr).decode())
    return done.exit_code


def remove_pod(pod):
    call("StopPodSandbox", pod)
    call("RemovePodSandbox", pod)


def start_pod():
    return call("RunPodSandbox", cri.RunSandbox(config=sandbox, runtime_handler="idmount"), cri.SandboxID)


def keep_pod():
    pod = start_pod()
    print(pod.pod_sandbox_id, start_container(pod).container_id)
    return 0


def run_in_pod():
    started = os.environ.get("STARTED", "").split()
    pod = cri.SandboxID(pod_sandbox_id=started[0]) if started else start_pod()
    try:
        return run_command(cri.ContainerID(container_id=started[1]) if started else start_container(pod))
    finally:
        remove_pod(pod)


try:
    sys.exit(keep_pod() if os.environ.get("KEEP") else run_in_pod())
except grpc.RpcError as error:
    sys.exit(error.details())
