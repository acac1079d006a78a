! SPDX-License-Identifier: BSD-3-Clause
!
! Buffers of Tutti's Fortran module, and how they become the addresses and counts of the C interface: whether
! their lengths and types fit together, and where in place means that a result lies.
module tutti_shapes
  use, intrinsic :: iso_c_binding
  use tutti_objects
  implicit none
  private

  ! As an argument it has the attribute target everywhere: else a compiler may take intent(in) for a promise that
  ! the memory behind the address stays as it is, and keep old values of it.
  type, public :: tutti_buffer
    type(c_ptr) :: address = c_null_ptr
    integer(c_size_t) :: count = 0
    integer(c_int) :: type = -1
    logical :: contiguous = .true.
  end type

  ! What the C interface is told of one call, or why it must not be made.
  type, public :: call_shape
    type(c_ptr) :: in = c_null_ptr, out = c_null_ptr
    integer(c_size_t) :: count = 0
    integer(c_int) :: type = -1
    character(len=:), allocatable :: refusal
  end type

  public :: allreduce_shape, in_place_shape, reduce_shape, reduce_in_place_shape, reduce_scatter_shape, &
      allgather_shape, alltoall_shape, blocks_shape

contains

  function decimal(number) result(text)
    integer(c_size_t), intent(in) :: number
    character(len=:), allocatable :: text
    character(len=20) :: room  ! the longest 64-bit integer
    write (room, '(i0)') number
    text = trim(room)
  end function

  ! The two buffers as they are; `count` is that of the input.
  function pair(in, out) result(shape)
    type(tutti_buffer), intent(in), target :: in, out
    type(call_shape) :: shape
    shape%in = in%address
    shape%out = out%address
    shape%count = in%count
    shape%type = in%type
    if (in%type /= out%type) shape%refusal = '"in" and "out" differ in their element type; they must have the same'
    if (.not. (in%contiguous .and. out%contiguous)) then
      shape%refusal = 'the array is not contiguous; pass a whole array, or a section without stride'
    end if
  end function

  function allreduce_shape(in, out) result(shape)
    type(tutti_buffer), intent(in), target :: in, out
    type(call_shape) :: shape
    shape = pair(in, out)
    if (in%count /= out%count) then
      shape%refusal = '"in" has '//decimal(in%count)//' elements and "out" has '//decimal(out%count)// &
          '; they must be equally long'
    end if
  end function

  function in_place_shape(inout) result(shape)
    type(tutti_buffer), intent(in), target :: inout
    type(call_shape) :: shape
    shape = pair(inout, inout)
  end function

  function reduce_shape(in, out, root, comm) result(shape)
    type(tutti_buffer), intent(in), target :: in, out
    integer, intent(in) :: root
    type(tutti_comm), intent(in) :: comm
    type(call_shape) :: shape
    if (tutti_comm_rank(comm) == root) then
      shape = allreduce_shape(in, out)
    else
      shape = pair(in, in)
      shape%out = c_null_ptr
    end if
  end function

  function reduce_in_place_shape(inout, root, comm) result(shape)
    type(tutti_buffer), intent(in), target :: inout
    integer, intent(in) :: root
    type(tutti_comm), intent(in) :: comm
    type(call_shape) :: shape
    shape = pair(inout, inout)
    if (tutti_comm_rank(comm) /= root) shape%out = c_null_ptr
  end function

  subroutine check_blocks(long_name, whole, short_name, block, ranks, shape)
    character(len=*), intent(in) :: long_name, short_name
    integer(c_size_t), intent(in) :: whole, block
    integer, intent(in) :: ranks
    type(call_shape), intent(inout) :: shape
    if (mod(whole, int(ranks, c_size_t)) == 0 .and. whole / ranks == block) return
    shape%refusal = '"'//long_name//'" has '//decimal(whole)//' elements, "'//short_name//'" has '//decimal(block)// &
        '; with '//decimal(int(ranks, c_size_t))//' ranks "'//long_name//'" must be that many times as long'
  end subroutine

  subroutine cut_into_blocks(shape, whole, ranks)
    type(call_shape), intent(inout) :: shape
    integer(c_size_t), intent(in) :: whole
    integer, intent(in) :: ranks
    shape%count = whole / ranks
    if (shape%count * ranks /= whole) then
      shape%refusal = 'the array has '//decimal(whole)//' elements, which cannot be cut into '// &
          decimal(int(ranks, c_size_t))//' equal blocks, one for each rank'
    end if
  end subroutine

  function reduce_scatter_shape(in, out, comm) result(shape)
    type(tutti_buffer), intent(in), target :: in, out
    type(tutti_comm), intent(in) :: comm
    type(call_shape) :: shape
    shape = pair(in, out)
    shape%count = out%count
    call check_blocks('in', in%count, 'out', out%count, tutti_comm_size(comm), shape)
  end function

  function allgather_shape(in, out, comm) result(shape)
    type(tutti_buffer), intent(in), target :: in, out
    type(tutti_comm), intent(in) :: comm
    type(call_shape) :: shape
    shape = pair(in, out)
    call check_blocks('out', out%count, 'in', in%count, tutti_comm_size(comm), shape)
  end function

  function alltoall_shape(in, out, comm) result(shape)
    type(tutti_buffer), intent(in), target :: in, out
    type(tutti_comm), intent(in) :: comm
    type(call_shape) :: shape
    shape = allreduce_shape(in, out)
    if (.not. allocated(shape%refusal)) call cut_into_blocks(shape, in%count, tutti_comm_size(comm))
  end function

  ! In place: a buffer of equal blocks, one for each rank; `count` is that of one block.
  function blocks_shape(inout, comm) result(shape)
    type(tutti_buffer), intent(in), target :: inout
    type(tutti_comm), intent(in) :: comm
    type(call_shape) :: shape
    shape = pair(inout, inout)
    call cut_into_blocks(shape, inout%count, tutti_comm_size(comm))
  end function
end module
