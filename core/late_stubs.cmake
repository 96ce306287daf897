# Writes the stubs of core/late_library.hpp for x86-64: of each function that the objects of an archive call and a library has.
#   cmake -DARCHIVE=libx.a "-DLIBRARIES=/usr/lib/liby.so;..." -DNM=nm -DREADELF=readelf -DOUTPUT=x.S -P late_stubs.cmake
# The registers that carry arguments are those of the System V ABI (AMD64 supplement, 3.2.3); wider vectors than SSE's none of the
# libraries takes.
function(run variable)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE "\n" ";" output "${output}")
  set(${variable} "${output}" PARENT_SCOPE)
endfunction()

run(lines ${NM} -u --format=posix ${ARCHIVE})
set(called "")
foreach(line IN LISTS lines)
  if(line MATCHES "^([A-Za-z0-9_]+) U")
    list(APPEND called ${CMAKE_MATCH_1})
  endif()
endforeach()
list(REMOVE_DUPLICATES called)
list(SORT called)

set(text "# Made by core/late_stubs.cmake.\n  .section .note.GNU-stack,\"\",@progbits\n")
set(number 0)
foreach(library IN LISTS LIBRARIES)
  run(lines ${NM} -D --defined-only --format=posix ${library})
  foreach(line IN LISTS lines)
    if(line MATCHES "^([A-Za-z0-9_]+)@?[^ ]* ([A-Za-z])")
      set(kind_${number}_${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
    endif()
  endforeach()
  run(lines ${READELF} -d ${library})
  if(NOT lines MATCHES "SONAME[^[]*\\[([^]]+)\\]")
    message(FATAL_ERROR "${library} has no SONAME")
  endif()
  set(file ${CMAKE_MATCH_1})

  set(stubs "")
  set(names "")
  set(strings "")
  set(slots "")
  set(index 0)
  foreach(name IN LISTS called)
    if(NOT DEFINED kind_${number}_${name})
      continue()
    endif()
    if(NOT kind_${number}_${name} MATCHES "[TWi]")
      message(FATAL_ERROR "${name} of ${file} is no function, so the library cannot be loaded late")
    endif()
    string(APPEND stubs "
  .weak ${name}
  .hidden ${name}
  .type ${name}, @function
${name}:
  .cfi_startproc
  jmp *.Lslots_${number}+8*${index}(%rip)
.Lbind_${number}_${index}:
  pushq $${index}
  .cfi_adjust_cfa_offset 8
  jmp .Lbind_${number}
  .cfi_endproc
  .size ${name}, .-${name}
")
    string(APPEND names "  .quad .Lname_${number}_${index}\n")
    string(APPEND strings ".Lname_${number}_${index}: .asciz \"${name}\"\n")
    string(APPEND slots "  .quad .Lbind_${number}_${index}\n")
    math(EXPR index "${index} + 1")
  endforeach()
  if(index EQUAL 0)
    continue()  # pkg-config also names what the library itself stands on
  endif()

  string(APPEND text "
  .text
.Lbind_${number}:
  .cfi_startproc
  .cfi_def_cfa_offset 16
")
  set(registers rax rdi rsi rdx rcx r8 r9)
  foreach(register IN LISTS registers)
    string(APPEND text "  pushq %${register}\n  .cfi_adjust_cfa_offset 8\n")
  endforeach()
  string(APPEND text "  subq $136, %rsp\n  .cfi_adjust_cfa_offset 136\n")
  foreach(vector RANGE 7)
    math(EXPR offset "16 * ${vector}")
    string(APPEND text "  movups %xmm${vector}, ${offset}(%rsp)\n")
  endforeach()
  string(APPEND text "  leaq .Llibrary_${number}(%rip), %rdi\n  movq 192(%rsp), %rsi\n  call imgforge_late_bind\n  movq %rax, %r11\n")
  foreach(vector RANGE 7)
    math(EXPR offset "16 * ${vector}")
    string(APPEND text "  movups ${offset}(%rsp), %xmm${vector}\n")
  endforeach()
  string(APPEND text "  addq $136, %rsp\n  .cfi_adjust_cfa_offset -136\n")
  list(REVERSE registers)
  foreach(register IN LISTS registers)
    string(APPEND text "  popq %${register}\n  .cfi_adjust_cfa_offset -8\n")
  endforeach()
  string(APPEND text "  addq $8, %rsp\n  .cfi_adjust_cfa_offset -8\n  jmp *%r11\n  .cfi_endproc
${stubs}
  .section .data.rel.ro.late, \"aw\"
  .balign 8
.Llibrary_${number}:
  .quad .Lfile_${number}, .Lnames_${number}, .Lslots_${number}, ${index}
.Lnames_${number}:
${names}
  .section imgforge_late, \"aw\"
  .balign 8
  .quad .Llibrary_${number}
  .data
  .balign 8
.Lslots_${number}:
${slots}
  .section .rodata.late, \"a\"
.Lfile_${number}: .asciz \"${file}\"
${strings}")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUTPUT} "${text}")
