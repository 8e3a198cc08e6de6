// SPDX-License-Identifier: MIT

package idmount

// #include <idmount.h>
import "C"

// Step is the step of a call that failed: Error.Step.
type Step int

// Values of Step.
const (
	StepNone                    Step = C.IDM_STEP_NONE
	StepAddToMap                Step = C.IDM_STEP_ADD_TO_MAP
	StepKeepRest                Step = C.IDM_STEP_KEEP_REST
	StepParseMap                Step = C.IDM_STEP_PARSE_MAP
	StepCheckMap                Step = C.IDM_STEP_CHECK_MAP
	StepReadMap                 Step = C.IDM_STEP_READ_MAP
	StepReadOwnMap              Step = C.IDM_STEP_READ_OWN_MAP
	StepLookUpSubids            Step = C.IDM_STEP_LOOK_UP_SUBIDS
	StepReadUserns              Step = C.IDM_STEP_READ_USERNS
	StepOpenUserns              Step = C.IDM_STEP_OPEN_USERNS
	StepMakeUserns              Step = C.IDM_STEP_MAKE_USERNS
	StepWriteUIDMap             Step = C.IDM_STEP_WRITE_UID_MAP
	StepWriteGIDMap             Step = C.IDM_STEP_WRITE_GID_MAP
	StepOpenProcfs              Step = C.IDM_STEP_OPEN_PROCFS
	StepFindChild               Step = C.IDM_STEP_FIND_CHILD
	StepOpenChildMaps           Step = C.IDM_STEP_OPEN_CHILD_MAPS
	StepHoldChild               Step = C.IDM_STEP_HOLD_CHILD
	StepReapChild               Step = C.IDM_STEP_REAP_CHILD
	StepUseCache                Step = C.IDM_STEP_USE_CACHE
	StepOpenTree                Step = C.IDM_STEP_OPEN_TREE
	StepMapTree                 Step = C.IDM_STEP_MAP_TREE
	StepMapOnTop                Step = C.IDM_STEP_MAP_ON_TOP
	StepOpenTarget              Step = C.IDM_STEP_OPEN_TARGET
	StepCreateTarget            Step = C.IDM_STEP_CREATE_TARGET
	StepAttach                  Step = C.IDM_STEP_ATTACH
	StepDetachOldMount          Step = C.IDM_STEP_DETACH_OLD_MOUNT
	StepSetPropagation          Step = C.IDM_STEP_SET_PROPAGATION
	StepUnmount                 Step = C.IDM_STEP_UNMOUNT
	StepOpenOverlay             Step = C.IDM_STEP_OPEN_OVERLAY
	StepOpenLayer               Step = C.IDM_STEP_OPEN_LAYER
	StepLookForOverlays         Step = C.IDM_STEP_LOOK_FOR_OVERLAYS
	StepMakeScratch             Step = C.IDM_STEP_MAKE_SCRATCH
	StepEnterMountNamespace     Step = C.IDM_STEP_ENTER_MOUNT_NAMESPACE
	StepAttachLayers            Step = C.IDM_STEP_ATTACH_LAYERS
	StepBecomeMappedRoot        Step = C.IDM_STEP_BECOME_MAPPED_ROOT
	StepCopyOverlay             Step = C.IDM_STEP_COPY_OVERLAY
	StepPlanMount               Step = C.IDM_STEP_PLAN_MOUNT
	StepReadPlan                Step = C.IDM_STEP_READ_PLAN
	StepMakeMount               Step = C.IDM_STEP_MAKE_MOUNT
	StepMakeMountNamespace      Step = C.IDM_STEP_MAKE_MOUNT_NAMESPACE
	StepMountFilesystem         Step = C.IDM_STEP_MOUNT_FILESYSTEM
	StepMakeLoopDevice          Step = C.IDM_STEP_MAKE_LOOP_DEVICE
	StepAssemblePlan            Step = C.IDM_STEP_ASSEMBLE_PLAN
	StepCopyPlanMounts          Step = C.IDM_STEP_COPY_PLAN_MOUNTS
	StepWriteJournal            Step = C.IDM_STEP_WRITE_JOURNAL
	StepLockJournal             Step = C.IDM_STEP_LOCK_JOURNAL
	StepReadBootID              Step = C.IDM_STEP_READ_BOOT_ID
	StepReadJournal             Step = C.IDM_STEP_READ_JOURNAL
	StepUndo                    Step = C.IDM_STEP_UNDO
	StepRemoveJournal           Step = C.IDM_STEP_REMOVE_JOURNAL
	StepListMounts              Step = C.IDM_STEP_LIST_MOUNTS
	StepReadMountinfo           Step = C.IDM_STEP_READ_MOUNTINFO
	StepFindMountNamespaces     Step = C.IDM_STEP_FIND_MOUNT_NAMESPACES
	StepJoinMountNamespace      Step = C.IDM_STEP_JOIN_MOUNT_NAMESPACE
	StepListFeatures            Step = C.IDM_STEP_LIST_FEATURES
	StepCheckPath               Step = C.IDM_STEP_CHECK_PATH
	StepMakeFile                Step = C.IDM_STEP_MAKE_FILE
	StepStartProgram            Step = C.IDM_STEP_START_PROGRAM
	StepReadSeccompFilter       Step = C.IDM_STEP_READ_SECCOMP_FILTER
	StepMakeMemoryFile          Step = C.IDM_STEP_MAKE_MEMORY_FILE
	StepMakeMemoryProgram       Step = C.IDM_STEP_MAKE_MEMORY_PROGRAM
	StepExecuteMemoryProgram    Step = C.IDM_STEP_EXECUTE_MEMORY_PROGRAM
	StepPutIntoCgroup           Step = C.IDM_STEP_PUT_INTO_CGROUP
	StepPassDescriptors         Step = C.IDM_STEP_PASS_DESCRIPTORS
	StepSetProcessGroup         Step = C.IDM_STEP_SET_PROCESS_GROUP
	StepJoinNamespace           Step = C.IDM_STEP_JOIN_NAMESPACE
	StepJoinUserns              Step = C.IDM_STEP_JOIN_USERNS
	StepBecomeUsernsRoot        Step = C.IDM_STEP_BECOME_USERNS_ROOT
	StepMakeNamespaces          Step = C.IDM_STEP_MAKE_NAMESPACES
	StepMakePIDNamespaceProcess Step = C.IDM_STEP_MAKE_PID_NAMESPACE_PROCESS
	StepSeparateMounts          Step = C.IDM_STEP_SEPARATE_MOUNTS
	StepAttachRoot              Step = C.IDM_STEP_ATTACH_ROOT
	StepPivotRoot               Step = C.IDM_STEP_PIVOT_ROOT
	StepMakeMountPoint          Step = C.IDM_STEP_MAKE_MOUNT_POINT
	StepSetMountOption          Step = C.IDM_STEP_SET_MOUNT_OPTION
	StepMount                   Step = C.IDM_STEP_MOUNT
	StepDetachOldRoot           Step = C.IDM_STEP_DETACH_OLD_ROOT
	StepAssembleRoot            Step = C.IDM_STEP_ASSEMBLE_ROOT
	StepLockMounts              Step = C.IDM_STEP_LOCK_MOUNTS
	StepLimitUserns             Step = C.IDM_STEP_LIMIT_USERNS
	StepMakeKeyring             Step = C.IDM_STEP_MAKE_KEYRING
	StepSetSeccompFilter        Step = C.IDM_STEP_SET_SECCOMP_FILTER
	StepSetHostname             Step = C.IDM_STEP_SET_HOSTNAME
	StepMakeSession             Step = C.IDM_STEP_MAKE_SESSION
	StepSetTerminal             Step = C.IDM_STEP_SET_TERMINAL
	StepSetBoundingSet          Step = C.IDM_STEP_SET_BOUNDING_SET
	StepSetGroups               Step = C.IDM_STEP_SET_GROUPS
	StepSetGID                  Step = C.IDM_STEP_SET_GID
	StepSetUID                  Step = C.IDM_STEP_SET_UID
	StepSetCapabilities         Step = C.IDM_STEP_SET_CAPABILITIES
	StepSetNoNewPrivs           Step = C.IDM_STEP_SET_NO_NEW_PRIVS
	StepSetCWD                  Step = C.IDM_STEP_SET_CWD
	StepStartBelowInit          Step = C.IDM_STEP_START_BELOW_INIT
	StepExecuteDescriptor       Step = C.IDM_STEP_EXECUTE_DESCRIPTOR
	StepExecute                 Step = C.IDM_STEP_EXECUTE
	StepWaitForChild            Step = C.IDM_STEP_WAIT_FOR_CHILD
	StepSignalChild             Step = C.IDM_STEP_SIGNAL_CHILD
	StepMakeReaper              Step = C.IDM_STEP_MAKE_REAPER
	StepWatchChild              Step = C.IDM_STEP_WATCH_CHILD
	StepWaitForChildren         Step = C.IDM_STEP_WAIT_FOR_CHILDREN
	StepAdoptOrphans            Step = C.IDM_STEP_ADOPT_ORPHANS
	StepFindOrphans             Step = C.IDM_STEP_FIND_ORPHANS
	StepStartForkserver         Step = C.IDM_STEP_START_FORKSERVER
	StepOpenStaging             Step = C.IDM_STEP_OPEN_STAGING
	StepJoinStaging             Step = C.IDM_STEP_JOIN_STAGING
	StepAskService              Step = C.IDM_STEP_ASK_SERVICE
	StepExplain                 Step = C.IDM_STEP_EXPLAIN
	StepLookUpPath              Step = C.IDM_STEP_LOOK_UP_PATH
)

// Kind is a side of a map, or both.
type Kind uint32

// Values of Kind.
const (
	UID  Kind = C.IDM_UID
	GID  Kind = C.IDM_GID
	Both Kind = C.IDM_BOTH
)

// Format is how Map.Format prints a map.
type Format int

// Values of Format.
const (
	FormatText       Format = C.IDM_FORMAT_TEXT
	FormatKernel     Format = C.IDM_FORMAT_KERNEL
	FormatContainerd Format = C.IDM_FORMAT_CONTAINERD
	FormatUtilLinux  Format = C.IDM_FORMAT_UTIL_LINUX
	FormatCrun       Format = C.IDM_FORMAT_CRUN
	FormatOCI        Format = C.IDM_FORMAT_OCI
)

// UsernsFlag is how UsernsFD creates the namespace: at most one.
type UsernsFlag uint32

// Values of UsernsFlag.
const (
	UsernsZombie    UsernsFlag = C.IDM_USERNS_ZOMBIE
	UsernsLive      UsernsFlag = C.IDM_USERNS_LIVE
	UsernsOwnMemory UsernsFlag = C.IDM_USERNS_OWN_MEMORY
)

// Attr has attributes of a mount.
type Attr uint32

// Values of Attr.
const (
	AttrRdonly      Attr = C.IDM_ATTR_RDONLY
	AttrNosuid      Attr = C.IDM_ATTR_NOSUID
	AttrNodev       Attr = C.IDM_ATTR_NODEV
	AttrNoexec      Attr = C.IDM_ATTR_NOEXEC
	AttrAtime       Attr = C.IDM_ATTR_ATIME
	AttrRelatime    Attr = C.IDM_ATTR_RELATIME
	AttrNoatime     Attr = C.IDM_ATTR_NOATIME
	AttrStrictatime Attr = C.IDM_ATTR_STRICTATIME
	AttrNodiratime  Attr = C.IDM_ATTR_NODIRATIME
	AttrIDMap       Attr = C.IDM_ATTR_IDMAP
	AttrNosymfollow Attr = C.IDM_ATTR_NOSYMFOLLOW
)

// Propagation is how mounts below a mount propagate to its copies.
type Propagation int

// Values of Propagation.
const (
	PropagationDefault    Propagation = C.IDM_PROPAGATION_DEFAULT
	PropagationPrivate    Propagation = C.IDM_PROPAGATION_PRIVATE
	PropagationSlave      Propagation = C.IDM_PROPAGATION_SLAVE
	PropagationShared     Propagation = C.IDM_PROPAGATION_SHARED
	PropagationUnbindable Propagation = C.IDM_PROPAGATION_UNBINDABLE
)

// HardenAs is what Map.Hardening hardens.
type HardenAs int

// Values of HardenAs.
const (
	HardenMount HardenAs = C.IDM_HARDEN_MOUNT
	HardenBind  HardenAs = C.IDM_HARDEN_BIND
	HardenRoot  HardenAs = C.IDM_HARDEN_ROOT
)

// TreeFlag has flags of OpenTree.
type TreeFlag uint32

// Values of TreeFlag.
const (
	TreeRecursive TreeFlag = C.IDM_TREE_RECURSIVE
	TreeNofollow  TreeFlag = C.IDM_TREE_NOFOLLOW
	TreeRemap     TreeFlag = C.IDM_TREE_REMAP
	TreeOnTop     TreeFlag = C.IDM_TREE_ON_TOP
	TreeEmptyPath TreeFlag = C.IDM_TREE_EMPTY_PATH
	TreeService   TreeFlag = C.IDM_TREE_SERVICE
)

// AttachFlag has flags of Tree.Attach.
type AttachFlag uint32

// Values of AttachFlag.
const (
	AttachMkdir   AttachFlag = C.IDM_ATTACH_MKDIR
	AttachReplace AttachFlag = C.IDM_ATTACH_REPLACE
	AttachInRoot  AttachFlag = C.IDM_ATTACH_IN_ROOT
	AttachFollow  AttachFlag = C.IDM_ATTACH_FOLLOW
)

// UmountFlag has flags of Umount.
type UmountFlag uint32

// Values of UmountFlag.
const (
	UmountRecursive UmountFlag = C.IDM_UMOUNT_RECURSIVE
	UmountLazy      UmountFlag = C.IDM_UMOUNT_LAZY
	UmountFollow    UmountFlag = C.IDM_UMOUNT_FOLLOW
)

// UpperIDs are the IDs that an upper directory stores on disk.
type UpperIDs int

// Values of UpperIDs.
const (
	UpperShifted UpperIDs = C.IDM_UPPER_SHIFTED
	UpperDisk    UpperIDs = C.IDM_UPPER_DISK
)

// OverlayFlag has flags of Overlay.
type OverlayFlag uint32

// Values of OverlayFlag.
const (
	OverlayByDescriptor OverlayFlag = C.IDM_OVERLAY_BY_DESCRIPTOR
	OverlayInNamespace  OverlayFlag = C.IDM_OVERLAY_IN_NAMESPACE
	OverlayCreateAsRoot OverlayFlag = C.IDM_OVERLAY_CREATE_AS_ROOT
	OverlayEmptyPath    OverlayFlag = C.IDM_OVERLAY_EMPTY_PATH
	OverlayUpperUnused  OverlayFlag = C.IDM_OVERLAY_UPPER_UNUSED
	OverlayService      OverlayFlag = C.IDM_OVERLAY_SERVICE
)

// PlanAddFlag has flags of Plan.Add.
type PlanAddFlag uint32

// Values of PlanAddFlag.
const (
	PlanAddMkdir      PlanAddFlag = C.IDM_PLAN_ADD_MKDIR
	PlanAddRdonlyLast PlanAddFlag = C.IDM_PLAN_ADD_RDONLY_LAST
)

// PlanFormat is the format of a text for Plan.Read.
type PlanFormat int

// Values of PlanFormat.
const (
	PlanReadAny        PlanFormat = C.IDM_PLAN_READ_ANY
	PlanReadContainerd PlanFormat = C.IDM_PLAN_READ_CONTAINERD
	PlanReadOCI        PlanFormat = C.IDM_PLAN_READ_OCI
)

// PlanApplyFlag has flags of Plan.Open and Plan.Apply.
type PlanApplyFlag uint32

// Values of PlanApplyFlag.
const (
	PlanApplyDetached    PlanApplyFlag = C.IDM_PLAN_APPLY_DETACHED
	PlanApplyInNamespace PlanApplyFlag = C.IDM_PLAN_APPLY_IN_NAMESPACE
	PlanApplyMkdir       PlanApplyFlag = C.IDM_PLAN_APPLY_MKDIR
	PlanApplyUpperUnused PlanApplyFlag = C.IDM_PLAN_APPLY_UPPER_UNUSED
	PlanApplyService     PlanApplyFlag = C.IDM_PLAN_APPLY_SERVICE
)

// PlanUndoFlag has flags of PlanUndo.
type PlanUndoFlag uint32

// Values of PlanUndoFlag.
const (
	PlanUndoLazy PlanUndoFlag = C.IDM_PLAN_UNDO_LAZY
)

// MapState is what is known of the map of a listed mount.
type MapState int

// Values of MapState.
const (
	MapNone       MapState = C.IDM_MAP_NONE
	MapRead       MapState = C.IDM_MAP_READ
	MapPartly     MapState = C.IDM_MAP_PARTLY
	MapInvisible  MapState = C.IDM_MAP_INVISIBLE
	MapUnreadable MapState = C.IDM_MAP_UNREADABLE
)

// ListFlag has flags of List and ListPath.
type ListFlag uint32

// Values of ListFlag.
const (
	ListAllNamespaces ListFlag = C.IDM_LIST_ALL_NAMESPACES
	ListUnmapped      ListFlag = C.IDM_LIST_UNMAPPED
	ListEmptyPath     ListFlag = C.IDM_LIST_EMPTY_PATH
)

// CheckFlag has flags of CheckPath.
type CheckFlag uint32

// Values of CheckFlag.
const (
	CheckWrite     CheckFlag = C.IDM_CHECK_WRITE
	CheckEmptyPath CheckFlag = C.IDM_CHECK_EMPTY_PATH
)

// Namespace has the new namespaces of a child.
type Namespace uint32

// Values of Namespace.
const (
	NSTime   Namespace = C.IDM_NS_TIME
	NSMount  Namespace = C.IDM_NS_MOUNT
	NSCgroup Namespace = C.IDM_NS_CGROUP
	NSUTS    Namespace = C.IDM_NS_UTS
	NSIPC    Namespace = C.IDM_NS_IPC
	NSPID    Namespace = C.IDM_NS_PID
	NSNet    Namespace = C.IDM_NS_NET
)

// ChildMountFlag has flags of a ChildMount.
type ChildMountFlag uint32

// Values of ChildMountFlag.
const (
	ChildMountOptional ChildMountFlag = C.IDM_CHILD_MOUNT_OPTIONAL
	ChildMountRebind   ChildMountFlag = C.IDM_CHILD_MOUNT_REBIND
	ChildMountMkdir    ChildMountFlag = C.IDM_CHILD_MOUNT_MKDIR
	ChildMountFollow   ChildMountFlag = C.IDM_CHILD_MOUNT_FOLLOW
)

// ChildFlag has flags of a Command.
type ChildFlag uint64

// Values of ChildFlag.
const (
	ChildSearchPath    ChildFlag = C.IDM_CHILD_SEARCH_PATH
	ChildKeepFDs       ChildFlag = C.IDM_CHILD_KEEP_FDS
	ChildResetSignals  ChildFlag = C.IDM_CHILD_RESET_SIGNALS
	ChildSession       ChildFlag = C.IDM_CHILD_SESSION
	ChildSetGroups     ChildFlag = C.IDM_CHILD_SET_GROUPS
	ChildNoNewPrivs    ChildFlag = C.IDM_CHILD_NO_NEW_PRIVS
	ChildUnderInit     ChildFlag = C.IDM_CHILD_UNDER_INIT
	ChildDieWithThread ChildFlag = C.IDM_CHILD_DIE_WITH_THREAD
	ChildNewKeyring    ChildFlag = C.IDM_CHILD_NEW_KEYRING
	ChildDisableUserns ChildFlag = C.IDM_CHILD_DISABLE_USERNS
	ChildNoKeyrings    ChildFlag = C.IDM_CHILD_NO_KEYRINGS
)

// ReaperAddFlag has flags of Reaper.Add and Reaper.Start.
type ReaperAddFlag uint32

// Values of ReaperAddFlag.
const (
	ReaperAddHold  ReaperAddFlag = C.IDM_REAPER_ADD_HOLD
	ReaperAddSpare ReaperAddFlag = C.IDM_REAPER_ADD_SPARE
)

// ReaperForkserverFlag has flags of Reaper.StartForkserver.
type ReaperForkserverFlag uint32

// Values of ReaperForkserverFlag.
const (
	ReaperForkserverOrphans ReaperForkserverFlag = C.IDM_REAPER_FORKSERVER_ORPHANS
)

// KeepID as a UID or GID of a Command is 0 in another user namespace, if it has that, else the caller's.
const KeepID uint32 = C.IDM_CHILD_KEEP_ID

// ExitLost is the Code of an Exit whose status was consumed by another wait.
const ExitLost = C.IDM_EXIT_LOST
