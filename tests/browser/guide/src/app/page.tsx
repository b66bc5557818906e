import { Show, SignInButton, SignOutButton } from "@clerk/nextjs";
import { Profile } from "./profile";

export default function Home() {
  return (
    <main>
      <h1>Guide</h1>
      <Show when="signed-out">
        <p id="signed-out">You are signed out.</p>
        <SignInButton />
      </Show>
      <Show when="signed-in">
        <SignOutButton />
      </Show>
      <Profile />
    </main>
  );
}
