from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class File(_message.Message):
    __slots__ = ("path", "content")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    path: str
    content: bytes
    def __init__(self, path: _Optional[str] = ..., content: _Optional[bytes] = ...) -> None: ...

class SandboxRef(_message.Message):
    __slots__ = ("id", "touch")
    ID_FIELD_NUMBER: _ClassVar[int]
    TOUCH_FIELD_NUMBER: _ClassVar[int]
    id: str
    touch: bool
    def __init__(self, id: _Optional[str] = ..., touch: _Optional[bool] = ...) -> None: ...

class LaunchRequest(_message.Message):
    __slots__ = ("id", "exercise_id", "content_hash", "purpose", "owner", "files")
    ID_FIELD_NUMBER: _ClassVar[int]
    EXERCISE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    id: str
    exercise_id: str
    content_hash: str
    purpose: str
    owner: str
    files: _containers.RepeatedCompositeFieldContainer[File]
    def __init__(self, id: _Optional[str] = ..., exercise_id: _Optional[str] = ..., content_hash: _Optional[str] = ..., purpose: _Optional[str] = ..., owner: _Optional[str] = ..., files: _Optional[_Iterable[_Union[File, _Mapping]]] = ...) -> None: ...

class Service(_message.Message):
    __slots__ = ("name", "replica", "full_name", "state", "since", "exit_code", "signal", "restarts", "out_of_memory", "rss_mb", "log_bytes", "log_dropped", "files_revision", "message", "given", "image", "usual_seconds")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    FULL_NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    OUT_OF_MEMORY_FIELD_NUMBER: _ClassVar[int]
    RSS_MB_FIELD_NUMBER: _ClassVar[int]
    LOG_BYTES_FIELD_NUMBER: _ClassVar[int]
    LOG_DROPPED_FIELD_NUMBER: _ClassVar[int]
    FILES_REVISION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    GIVEN_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    USUAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    replica: int
    full_name: str
    state: str
    since: float
    exit_code: int
    signal: int
    restarts: int
    out_of_memory: bool
    rss_mb: float
    log_bytes: int
    log_dropped: int
    files_revision: str
    message: str
    given: bool
    image: str
    usual_seconds: float
    def __init__(self, name: _Optional[str] = ..., replica: _Optional[int] = ..., full_name: _Optional[str] = ..., state: _Optional[str] = ..., since: _Optional[float] = ..., exit_code: _Optional[int] = ..., signal: _Optional[int] = ..., restarts: _Optional[int] = ..., out_of_memory: _Optional[bool] = ..., rss_mb: _Optional[float] = ..., log_bytes: _Optional[int] = ..., log_dropped: _Optional[int] = ..., files_revision: _Optional[str] = ..., message: _Optional[str] = ..., given: _Optional[bool] = ..., image: _Optional[str] = ..., usual_seconds: _Optional[float] = ...) -> None: ...

class Stage(_message.Message):
    __slots__ = ("name", "seconds", "usual_seconds", "done")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    USUAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    name: str
    seconds: float
    usual_seconds: float
    done: bool
    def __init__(self, name: _Optional[str] = ..., seconds: _Optional[float] = ..., usual_seconds: _Optional[float] = ..., done: _Optional[bool] = ...) -> None: ...

class Sandbox(_message.Message):
    __slots__ = ("id", "exercise_id", "content_hash", "purpose", "owner", "state", "reason", "message", "created", "ready_at", "expires_at", "queue_position", "queue_seconds", "services", "stages", "events", "files_revision", "extensions_left", "checks_running", "idle_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    EXERCISE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    READY_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_POSITION_FIELD_NUMBER: _ClassVar[int]
    QUEUE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    FILES_REVISION_FIELD_NUMBER: _ClassVar[int]
    EXTENSIONS_LEFT_FIELD_NUMBER: _ClassVar[int]
    CHECKS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    IDLE_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    exercise_id: str
    content_hash: str
    purpose: str
    owner: str
    state: str
    reason: str
    message: str
    created: float
    ready_at: float
    expires_at: float
    queue_position: int
    queue_seconds: float
    services: _containers.RepeatedCompositeFieldContainer[Service]
    stages: _containers.RepeatedCompositeFieldContainer[Stage]
    events: _containers.RepeatedScalarFieldContainer[str]
    files_revision: str
    extensions_left: int
    checks_running: bool
    idle_at: float
    def __init__(self, id: _Optional[str] = ..., exercise_id: _Optional[str] = ..., content_hash: _Optional[str] = ..., purpose: _Optional[str] = ..., owner: _Optional[str] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., created: _Optional[float] = ..., ready_at: _Optional[float] = ..., expires_at: _Optional[float] = ..., queue_position: _Optional[int] = ..., queue_seconds: _Optional[float] = ..., services: _Optional[_Iterable[_Union[Service, _Mapping]]] = ..., stages: _Optional[_Iterable[_Union[Stage, _Mapping]]] = ..., events: _Optional[_Iterable[str]] = ..., files_revision: _Optional[str] = ..., extensions_left: _Optional[int] = ..., checks_running: _Optional[bool] = ..., idle_at: _Optional[float] = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ("owner", "purpose", "gone_too")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    GONE_TOO_FIELD_NUMBER: _ClassVar[int]
    owner: str
    purpose: str
    gone_too: bool
    def __init__(self, owner: _Optional[str] = ..., purpose: _Optional[str] = ..., gone_too: _Optional[bool] = ...) -> None: ...

class ListReply(_message.Message):
    __slots__ = ("sandboxes", "memory_free_mb", "slots")
    SANDBOXES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FREE_MB_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    sandboxes: _containers.RepeatedCompositeFieldContainer[Sandbox]
    memory_free_mb: float
    slots: int
    def __init__(self, sandboxes: _Optional[_Iterable[_Union[Sandbox, _Mapping]]] = ..., memory_free_mb: _Optional[float] = ..., slots: _Optional[int] = ...) -> None: ...

class ApplyRequest(_message.Message):
    __slots__ = ("id", "files", "restart", "services")
    ID_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    RESTART_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    id: str
    files: _containers.RepeatedCompositeFieldContainer[File]
    restart: bool
    services: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., files: _Optional[_Iterable[_Union[File, _Mapping]]] = ..., restart: _Optional[bool] = ..., services: _Optional[_Iterable[str]] = ...) -> None: ...

class ControlRequest(_message.Message):
    __slots__ = ("id", "service", "action", "replicas")
    ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    id: str
    service: str
    action: str
    replicas: int
    def __init__(self, id: _Optional[str] = ..., service: _Optional[str] = ..., action: _Optional[str] = ..., replicas: _Optional[int] = ...) -> None: ...

class ExtendRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class StopRequest(_message.Message):
    __slots__ = ("id", "reason")
    ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    id: str
    reason: str
    def __init__(self, id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class LogsRequest(_message.Message):
    __slots__ = ("id", "service", "offset", "limit")
    ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    id: str
    service: str
    offset: int
    limit: int
    def __init__(self, id: _Optional[str] = ..., service: _Optional[str] = ..., offset: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class LogsReply(_message.Message):
    __slots__ = ("data", "offset", "next_offset", "dropped")
    DATA_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    NEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    offset: int
    next_offset: int
    dropped: int
    def __init__(self, data: _Optional[bytes] = ..., offset: _Optional[int] = ..., next_offset: _Optional[int] = ..., dropped: _Optional[int] = ...) -> None: ...

class MetricsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MetricsReply(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class ReloadRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReloadReply(_message.Message):
    __slots__ = ("exercises", "problems")
    EXERCISES_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    exercises: int
    problems: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, exercises: _Optional[int] = ..., problems: _Optional[_Iterable[str]] = ...) -> None: ...

class RunRequest(_message.Message):
    __slots__ = ("sandbox_id", "run_id", "seed", "only", "reset", "files")
    SANDBOX_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    ONLY_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    sandbox_id: str
    run_id: str
    seed: int
    only: _containers.RepeatedScalarFieldContainer[str]
    reset: bool
    files: _containers.RepeatedCompositeFieldContainer[File]
    def __init__(self, sandbox_id: _Optional[str] = ..., run_id: _Optional[str] = ..., seed: _Optional[int] = ..., only: _Optional[_Iterable[str]] = ..., reset: _Optional[bool] = ..., files: _Optional[_Iterable[_Union[File, _Mapping]]] = ...) -> None: ...

class CheckResult(_message.Message):
    __slots__ = ("id", "status", "points", "max_points", "seconds", "message_json")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    MAX_POINTS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_JSON_FIELD_NUMBER: _ClassVar[int]
    id: str
    status: str
    points: int
    max_points: int
    seconds: float
    message_json: str
    def __init__(self, id: _Optional[str] = ..., status: _Optional[str] = ..., points: _Optional[int] = ..., max_points: _Optional[int] = ..., seconds: _Optional[float] = ..., message_json: _Optional[str] = ...) -> None: ...

class RunEvent(_message.Message):
    __slots__ = ("stage", "check_started", "check_finished", "finished", "note", "trace")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    CHECK_STARTED_FIELD_NUMBER: _ClassVar[int]
    CHECK_FINISHED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    stage: Stage
    check_started: str
    check_finished: CheckResult
    finished: RunFinished
    note: str
    trace: bytes
    def __init__(self, stage: _Optional[_Union[Stage, _Mapping]] = ..., check_started: _Optional[str] = ..., check_finished: _Optional[_Union[CheckResult, _Mapping]] = ..., finished: _Optional[_Union[RunFinished, _Mapping]] = ..., note: _Optional[str] = ..., trace: _Optional[bytes] = ...) -> None: ...

class RunFinished(_message.Message):
    __slots__ = ("verdict", "score", "seed", "scale", "checks", "error", "log_tails_json", "signals_json")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    LOG_TAILS_JSON_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_JSON_FIELD_NUMBER: _ClassVar[int]
    verdict: str
    score: int
    seed: int
    scale: float
    checks: _containers.RepeatedCompositeFieldContainer[CheckResult]
    error: str
    log_tails_json: str
    signals_json: str
    def __init__(self, verdict: _Optional[str] = ..., score: _Optional[int] = ..., seed: _Optional[int] = ..., scale: _Optional[float] = ..., checks: _Optional[_Iterable[_Union[CheckResult, _Mapping]]] = ..., error: _Optional[str] = ..., log_tails_json: _Optional[str] = ..., signals_json: _Optional[str] = ...) -> None: ...

class DoctorRequest(_message.Message):
    __slots__ = ("fresh",)
    FRESH_FIELD_NUMBER: _ClassVar[int]
    fresh: bool
    def __init__(self, fresh: _Optional[bool] = ...) -> None: ...

class DoctorReply(_message.Message):
    __slots__ = ("engine", "usable", "reason", "report_json")
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    USABLE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REPORT_JSON_FIELD_NUMBER: _ClassVar[int]
    engine: str
    usable: bool
    reason: str
    report_json: str
    def __init__(self, engine: _Optional[str] = ..., usable: _Optional[bool] = ..., reason: _Optional[str] = ..., report_json: _Optional[str] = ...) -> None: ...

class ImagesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Image(_message.Message):
    __slots__ = ("name", "state", "step", "fraction", "eta_seconds", "error")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    ETA_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: str
    step: str
    fraction: float
    eta_seconds: float
    error: str
    def __init__(self, name: _Optional[str] = ..., state: _Optional[str] = ..., step: _Optional[str] = ..., fraction: _Optional[float] = ..., eta_seconds: _Optional[float] = ..., error: _Optional[str] = ...) -> None: ...

class ImagesReply(_message.Message):
    __slots__ = ("images", "all_ready")
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    ALL_READY_FIELD_NUMBER: _ClassVar[int]
    images: _containers.RepeatedCompositeFieldContainer[Image]
    all_ready: bool
    def __init__(self, images: _Optional[_Iterable[_Union[Image, _Mapping]]] = ..., all_ready: _Optional[bool] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("live_id",)
    LIVE_ID_FIELD_NUMBER: _ClassVar[int]
    live_id: str
    def __init__(self, live_id: _Optional[str] = ...) -> None: ...

class WatchEvent(_message.Message):
    __slots__ = ("sandbox",)
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    sandbox: Sandbox
    def __init__(self, sandbox: _Optional[_Union[Sandbox, _Mapping]] = ...) -> None: ...
