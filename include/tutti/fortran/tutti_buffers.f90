! SPDX-License-Identifier: BSD-3-Clause
!
! Tutti's collectives on buffers: an address, a number of elements and their type. The typed forms on arrays
! (tutti_typed.inc) turn into these; programs use them for element types that Fortran does not have, and for
! memory that is no Fortran array: call tutti_allreduce(tutti_buffer(c_loc(x), n, tutti_bfloat16), tutti_sum, comm)
module tutti_buffers
  use, intrinsic :: iso_c_binding
  use tutti_c
  use tutti_objects
  use tutti_shapes
  implicit none
  private

  public :: tutti_buffer
  interface tutti_allreduce
    module procedure allreduce, allreduce_in_place
  end interface
  interface tutti_broadcast
    module procedure broadcast
  end interface
  interface tutti_reduce
    module procedure reduce, reduce_in_place
  end interface
  interface tutti_reduce_scatter
    module procedure reduce_scatter, reduce_scatter_in_place
  end interface
  interface tutti_allgather
    module procedure allgather, allgather_in_place
  end interface
  interface tutti_alltoall
    module procedure alltoall, alltoall_in_place
  end interface
  interface tutti_iallreduce
    module procedure iallreduce, iallreduce_in_place
  end interface
  interface tutti_ibroadcast
    module procedure ibroadcast
  end interface
  interface tutti_ireduce
    module procedure ireduce, ireduce_in_place
  end interface
  interface tutti_ireduce_scatter
    module procedure ireduce_scatter, ireduce_scatter_in_place
  end interface
  interface tutti_iallgather
    module procedure iallgather, iallgather_in_place
  end interface
  interface tutti_ialltoall
    module procedure ialltoall, ialltoall_in_place
  end interface
  interface tutti_allreduce_init
    module procedure allreduce_init, allreduce_init_in_place
  end interface
  interface tutti_broadcast_init
    module procedure broadcast_init
  end interface
  interface tutti_reduce_init
    module procedure reduce_init, reduce_init_in_place
  end interface
  interface tutti_reduce_scatter_init
    module procedure reduce_scatter_init, reduce_scatter_init_in_place
  end interface
  interface tutti_allgather_init
    module procedure allgather_init, allgather_init_in_place
  end interface
  interface tutti_alltoall_init
    module procedure alltoall_init, alltoall_init_in_place
  end interface

  public :: tutti_allreduce, tutti_broadcast, tutti_reduce, tutti_reduce_scatter, tutti_allgather, tutti_alltoall
  public :: tutti_iallreduce, tutti_ibroadcast, tutti_ireduce, tutti_ireduce_scatter, tutti_iallgather, tutti_ialltoall
  public :: tutti_allreduce_init, tutti_broadcast_init, tutti_reduce_init, tutti_reduce_scatter_init, &
      tutti_allgather_init, tutti_alltoall_init

contains

  ! ---- collectives -------------------------------------------------------------------------------------
  ! Those whose name ends in _in_place take one buffer for input and result.

  subroutine allreduce(in, out, op, comm, error)
    type(tutti_buffer), intent(in), target :: in
    type(tutti_buffer), intent(in), target :: out
    type(tutti_op), intent(in) :: op
    type(tutti_comm), intent(in) :: comm
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = allreduce_shape(in, out)
    if (allocated(shape%refusal)) then
      call refuse('allreduce: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_allreduce(shape%in, shape%out, shape%count, shape%type, op%code, comm%handle), error)
  end subroutine

  subroutine allreduce_in_place(inout, op, comm, error)
    type(tutti_buffer), intent(in), target :: inout
    type(tutti_op), intent(in) :: op
    type(tutti_comm), intent(in) :: comm
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = in_place_shape(inout)
    if (allocated(shape%refusal)) then
      call refuse('allreduce: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_allreduce(shape%in, shape%out, shape%count, shape%type, op%code, comm%handle), error)
  end subroutine

  subroutine broadcast(inout, root, comm, error)
    type(tutti_buffer), intent(in), target :: inout
    integer, intent(in) :: root
    type(tutti_comm), intent(in) :: comm
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = in_place_shape(inout)
    if (allocated(shape%refusal)) then
      call refuse('broadcast: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_broadcast(shape%out, shape%count, shape%type, int(root, c_int), comm%handle), error)
  end subroutine

  subroutine reduce(in, out, op, root, comm, error)
    type(tutti_buffer), intent(in), target :: in
    type(tutti_buffer), intent(in), target :: out
    type(tutti_op), intent(in) :: op
    integer, intent(in) :: root
    type(tutti_comm), intent(in) :: comm
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = reduce_shape(in, out, root, comm)
    if (allocated(shape%refusal)) then
      call refuse('reduce: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_reduce(shape%in, shape%out, shape%count, shape%type, op%code, int(root, c_int), &
        comm%handle), error)
  end subroutine

  subroutine reduce_in_place(inout, op, root, comm, error)
    type(tutti_buffer), intent(in), target :: inout
    type(tutti_op), intent(in) :: op
    integer, intent(in) :: root
    type(tutti_comm), intent(in) :: comm
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = reduce_in_place_shape(inout, root, comm)
    if (allocated(shape%refusal)) then
      call refuse('reduce: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_reduce(shape%in, shape%out, shape%count, shape%type, op%code, int(root, c_int), &
        comm%handle), error)
  end subroutine

  subroutine reduce_scatter(in, out, op, comm, error)
    type(tutti_buffer), intent(in), target :: in
    type(tutti_buffer), intent(in), target :: out
    type(tutti_op), intent(in) :: op
    type(tutti_comm), intent(in) :: comm
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = reduce_scatter_shape(in, out, comm)
    if (allocated(shape%refusal)) then
      call refuse('reduce_scatter: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_reduce_scatter(shape%in, shape%out, shape%count, shape%type, op%code, comm%handle), error)
  end subroutine

  subroutine reduce_scatter_in_place(inout, op, comm, error)
    type(tutti_buffer), intent(in), target :: inout
    type(tutti_op), intent(in) :: op
    type(tutti_comm), intent(in) :: comm
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = blocks_shape(inout, comm)
    if (allocated(shape%refusal)) then
      call refuse('reduce_scatter: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_reduce_scatter(shape%in, shape%out, shape%count, shape%type, op%code, comm%handle), error)
  end subroutine

  subroutine allgather(in, out, comm, error)
    type(tutti_buffer), intent(in), target :: in
    type(tutti_buffer), intent(in), target :: out
    type(tutti_comm), intent(in) :: comm
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = allgather_shape(in, out, comm)
    if (allocated(shape%refusal)) then
      call refuse('allgather: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_allgather(shape%in, shape%out, shape%count, shape%type, comm%handle), error)
  end subroutine

  subroutine allgather_in_place(inout, comm, error)
    type(tutti_buffer), intent(in), target :: inout
    type(tutti_comm), intent(in) :: comm
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = blocks_shape(inout, comm)
    if (allocated(shape%refusal)) then
      call refuse('allgather: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_allgather(shape%in, shape%out, shape%count, shape%type, comm%handle), error)
  end subroutine

  subroutine alltoall(in, out, comm, error)
    type(tutti_buffer), intent(in), target :: in
    type(tutti_buffer), intent(in), target :: out
    type(tutti_comm), intent(in) :: comm
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = alltoall_shape(in, out, comm)
    if (allocated(shape%refusal)) then
      call refuse('alltoall: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_alltoall(shape%in, shape%out, shape%count, shape%type, comm%handle), error)
  end subroutine

  subroutine alltoall_in_place(inout, comm, error)
    type(tutti_buffer), intent(in), target :: inout
    type(tutti_comm), intent(in) :: comm
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = blocks_shape(inout, comm)
    if (allocated(shape%refusal)) then
      call refuse('alltoall: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_alltoall(shape%in, shape%out, shape%count, shape%type, comm%handle), error)
  end subroutine

  subroutine iallreduce(in, out, op, comm, request, error)
    type(tutti_buffer), intent(in), target :: in
    type(tutti_buffer), intent(in), target :: out
    type(tutti_op), intent(in) :: op
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = allreduce_shape(in, out)
    if (allocated(shape%refusal)) then
      call refuse('iallreduce: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_iallreduce(shape%in, shape%out, shape%count, shape%type, op%code, &
        comm%handle, request%handle), error)
  end subroutine

  subroutine iallreduce_in_place(inout, op, comm, request, error)
    type(tutti_buffer), intent(in), target :: inout
    type(tutti_op), intent(in) :: op
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = in_place_shape(inout)
    if (allocated(shape%refusal)) then
      call refuse('iallreduce: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_iallreduce(shape%in, shape%out, shape%count, shape%type, op%code, &
        comm%handle, request%handle), error)
  end subroutine

  subroutine ibroadcast(inout, root, comm, request, error)
    type(tutti_buffer), intent(in), target :: inout
    integer, intent(in) :: root
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = in_place_shape(inout)
    if (allocated(shape%refusal)) then
      call refuse('ibroadcast: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_ibroadcast(shape%out, shape%count, shape%type, int(root, c_int), &
        comm%handle, request%handle), error)
  end subroutine

  subroutine ireduce(in, out, op, root, comm, request, error)
    type(tutti_buffer), intent(in), target :: in
    type(tutti_buffer), intent(in), target :: out
    type(tutti_op), intent(in) :: op
    integer, intent(in) :: root
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = reduce_shape(in, out, root, comm)
    if (allocated(shape%refusal)) then
      call refuse('ireduce: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_ireduce(shape%in, shape%out, shape%count, shape%type, op%code, int(root, c_int), &
        comm%handle, request%handle), error)
  end subroutine

  subroutine ireduce_in_place(inout, op, root, comm, request, error)
    type(tutti_buffer), intent(in), target :: inout
    type(tutti_op), intent(in) :: op
    integer, intent(in) :: root
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = reduce_in_place_shape(inout, root, comm)
    if (allocated(shape%refusal)) then
      call refuse('ireduce: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_ireduce(shape%in, shape%out, shape%count, shape%type, op%code, int(root, c_int), &
        comm%handle, request%handle), error)
  end subroutine

  subroutine ireduce_scatter(in, out, op, comm, request, error)
    type(tutti_buffer), intent(in), target :: in
    type(tutti_buffer), intent(in), target :: out
    type(tutti_op), intent(in) :: op
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = reduce_scatter_shape(in, out, comm)
    if (allocated(shape%refusal)) then
      call refuse('ireduce_scatter: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_ireduce_scatter(shape%in, shape%out, shape%count, shape%type, op%code, &
        comm%handle, request%handle), error)
  end subroutine

  subroutine ireduce_scatter_in_place(inout, op, comm, request, error)
    type(tutti_buffer), intent(in), target :: inout
    type(tutti_op), intent(in) :: op
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = blocks_shape(inout, comm)
    if (allocated(shape%refusal)) then
      call refuse('ireduce_scatter: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_ireduce_scatter(shape%in, shape%out, shape%count, shape%type, op%code, &
        comm%handle, request%handle), error)
  end subroutine

  subroutine iallgather(in, out, comm, request, error)
    type(tutti_buffer), intent(in), target :: in
    type(tutti_buffer), intent(in), target :: out
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = allgather_shape(in, out, comm)
    if (allocated(shape%refusal)) then
      call refuse('iallgather: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_iallgather(shape%in, shape%out, shape%count, shape%type, comm%handle, request%handle), error)
  end subroutine

  subroutine iallgather_in_place(inout, comm, request, error)
    type(tutti_buffer), intent(in), target :: inout
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = blocks_shape(inout, comm)
    if (allocated(shape%refusal)) then
      call refuse('iallgather: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_iallgather(shape%in, shape%out, shape%count, shape%type, comm%handle, request%handle), error)
  end subroutine

  subroutine ialltoall(in, out, comm, request, error)
    type(tutti_buffer), intent(in), target :: in
    type(tutti_buffer), intent(in), target :: out
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = alltoall_shape(in, out, comm)
    if (allocated(shape%refusal)) then
      call refuse('ialltoall: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_ialltoall(shape%in, shape%out, shape%count, shape%type, comm%handle, request%handle), error)
  end subroutine

  subroutine ialltoall_in_place(inout, comm, request, error)
    type(tutti_buffer), intent(in), target :: inout
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    shape = blocks_shape(inout, comm)
    if (allocated(shape%refusal)) then
      call refuse('ialltoall: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_ialltoall(shape%in, shape%out, shape%count, shape%type, comm%handle, request%handle), error)
  end subroutine

  subroutine allreduce_init(in, out, op, comm, request, error)
    type(tutti_buffer), intent(in), target :: in
    type(tutti_buffer), intent(in), target :: out
    type(tutti_op), intent(in) :: op
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    request%persistent = .true.
    shape = allreduce_shape(in, out)
    if (allocated(shape%refusal)) then
      call refuse('allreduce_init: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_allreduce_init(shape%in, shape%out, shape%count, shape%type, op%code, &
        comm%handle, request%handle), error)
  end subroutine

  subroutine allreduce_init_in_place(inout, op, comm, request, error)
    type(tutti_buffer), intent(in), target :: inout
    type(tutti_op), intent(in) :: op
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    request%persistent = .true.
    shape = in_place_shape(inout)
    if (allocated(shape%refusal)) then
      call refuse('allreduce_init: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_allreduce_init(shape%in, shape%out, shape%count, shape%type, op%code, &
        comm%handle, request%handle), error)
  end subroutine

  subroutine broadcast_init(inout, root, comm, request, error)
    type(tutti_buffer), intent(in), target :: inout
    integer, intent(in) :: root
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    request%persistent = .true.
    shape = in_place_shape(inout)
    if (allocated(shape%refusal)) then
      call refuse('broadcast_init: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_broadcast_init(shape%out, shape%count, shape%type, int(root, c_int), &
        comm%handle, request%handle), error)
  end subroutine

  subroutine reduce_init(in, out, op, root, comm, request, error)
    type(tutti_buffer), intent(in), target :: in
    type(tutti_buffer), intent(in), target :: out
    type(tutti_op), intent(in) :: op
    integer, intent(in) :: root
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    request%persistent = .true.
    shape = reduce_shape(in, out, root, comm)
    if (allocated(shape%refusal)) then
      call refuse('reduce_init: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_reduce_init(shape%in, shape%out, shape%count, shape%type, op%code, int(root, c_int), &
        comm%handle, request%handle), error)
  end subroutine

  subroutine reduce_init_in_place(inout, op, root, comm, request, error)
    type(tutti_buffer), intent(in), target :: inout
    type(tutti_op), intent(in) :: op
    integer, intent(in) :: root
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    request%persistent = .true.
    shape = reduce_in_place_shape(inout, root, comm)
    if (allocated(shape%refusal)) then
      call refuse('reduce_init: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_reduce_init(shape%in, shape%out, shape%count, shape%type, op%code, int(root, c_int), &
        comm%handle, request%handle), error)
  end subroutine

  subroutine reduce_scatter_init(in, out, op, comm, request, error)
    type(tutti_buffer), intent(in), target :: in
    type(tutti_buffer), intent(in), target :: out
    type(tutti_op), intent(in) :: op
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    request%persistent = .true.
    shape = reduce_scatter_shape(in, out, comm)
    if (allocated(shape%refusal)) then
      call refuse('reduce_scatter_init: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_reduce_scatter_init(shape%in, shape%out, shape%count, shape%type, op%code, &
        comm%handle, request%handle), error)
  end subroutine

  subroutine reduce_scatter_init_in_place(inout, op, comm, request, error)
    type(tutti_buffer), intent(in), target :: inout
    type(tutti_op), intent(in) :: op
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    request%persistent = .true.
    shape = blocks_shape(inout, comm)
    if (allocated(shape%refusal)) then
      call refuse('reduce_scatter_init: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_reduce_scatter_init(shape%in, shape%out, shape%count, shape%type, op%code, &
        comm%handle, request%handle), error)
  end subroutine

  subroutine allgather_init(in, out, comm, request, error)
    type(tutti_buffer), intent(in), target :: in
    type(tutti_buffer), intent(in), target :: out
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    request%persistent = .true.
    shape = allgather_shape(in, out, comm)
    if (allocated(shape%refusal)) then
      call refuse('allgather_init: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_allgather_init(shape%in, shape%out, shape%count, shape%type, comm%handle, request%handle), error)
  end subroutine

  subroutine allgather_init_in_place(inout, comm, request, error)
    type(tutti_buffer), intent(in), target :: inout
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    request%persistent = .true.
    shape = blocks_shape(inout, comm)
    if (allocated(shape%refusal)) then
      call refuse('allgather_init: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_allgather_init(shape%in, shape%out, shape%count, shape%type, comm%handle, request%handle), error)
  end subroutine

  subroutine alltoall_init(in, out, comm, request, error)
    type(tutti_buffer), intent(in), target :: in
    type(tutti_buffer), intent(in), target :: out
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    request%persistent = .true.
    shape = alltoall_shape(in, out, comm)
    if (allocated(shape%refusal)) then
      call refuse('alltoall_init: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_alltoall_init(shape%in, shape%out, shape%count, shape%type, comm%handle, request%handle), error)
  end subroutine

  subroutine alltoall_init_in_place(inout, comm, request, error)
    type(tutti_buffer), intent(in), target :: inout
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    type(call_shape) :: shape
    request%persistent = .true.
    shape = blocks_shape(inout, comm)
    if (allocated(shape%refusal)) then
      call refuse('alltoall_init: '//shape%refusal, error)
      return
    end if
    call report(c_tutti_alltoall_init(shape%in, shape%out, shape%count, shape%type, comm%handle, request%handle), error)
  end subroutine
end module
